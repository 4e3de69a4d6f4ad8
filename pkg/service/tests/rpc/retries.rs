//! Retries add little load to a service in trouble.

use echo::SERVICE;
use idl::user::UserServiceClient;
use service::RpcError;
use settings::Settings;
use testkit::Etcd;

use crate::support::{Breaking, ask, client_by, serve, settings, until_registered};

const CALLS: usize = 300;
const BURST: usize = 10;

fn with_budget(etcd: &Etcd, percent: u32) -> Settings {
    let mut settings = settings(etcd);
    settings.rpc.retry_percent = percent;
    settings.rpc.retry_burst = u32::try_from(BURST).unwrap();
    settings
}

/// So many calls that all fail.
async fn call_in_vain(client: &UserServiceClient) {
    for _ in 0..CALLS {
        let error = ask(client, "overloaded").await.unwrap_err();
        assert!(matches!(error, RpcError::Unavailable), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_that_break_every_call_get_a_tenth_more_than_the_calls_and_a_burst() {
    let etcd = Etcd::start().await;
    let instances = [
        Breaking::register(&etcd).await,
        Breaking::register(&etcd).await,
        Breaking::register(&etcd).await,
    ];
    until_registered(&etcd, SERVICE, 3).await;
    let taken = || instances.iter().map(Breaking::taken).sum::<usize>();

    call_in_vain(&client_by(&with_budget(&etcd, 10), SERVICE).await).await;
    let attempts = taken();
    assert!(attempts > CALLS, "{attempts}");
    assert!(attempts <= CALLS + CALLS / 10 + BURST, "{attempts}");

    // What a caller may do who has no such limit.
    call_in_vain(&client_by(&with_budget(&etcd, 100), SERVICE).await).await;
    let more = taken() - attempts;
    assert!(more > CALLS + CALLS / 2, "{more}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_answers_to_be_overloaded_is_not_asked_again() {
    let etcd = Etcd::start().await;
    let (_one, first) = serve(&etcd, SERVICE, "nobody").await;
    let (_two, second) = serve(&etcd, SERVICE, "nobody").await;
    until_registered(&etcd, SERVICE, 2).await;
    call_in_vain(&client_by(&with_budget(&etcd, 10), SERVICE).await).await;
    assert_eq!(first.executed() + second.executed(), CALLS);
}
