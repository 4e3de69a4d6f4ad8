//! Several instances of a service share the calls, and one may die.

use std::time::Duration;

use testkit::{Process, eventually, media};

use crate::{load::Load, system_builder};

/// By when a dead instance is out of rotation.
const OUT_OF_ROTATION: Duration = Duration::from_secs(10);
/// Bounds the waits for calls, which a busy machine makes slowly.
const SOON: Duration = Duration::from_secs(60);

/// Pages of the feed that an instance of the video service has read.
fn calls(instance: &Process) -> usize {
    let is_call = |line: &serde_json::Value| line.to_string().contains("\"method\":\"feed\"");
    instance.log_lines().into_iter().filter(is_call).count()
}

#[tokio::test]
async fn calls_are_spread_and_a_killed_instance_is_not_noticed() {
    let system = system_builder()
        .instances("user", 2)
        .instances("video", 2)
        // The default: with it the dead one is gone in time.
        .set("etcd.lease_ttl_s", 6)
        .start()
        .await;
    let client = system.client();
    let account = client.new_account().await;
    client
        .publish(&account.token, "A film", media::mp4())
        .await
        .ok();
    let registered = async |count: usize| {
        let what = format!("{count} registered video instances");
        eventually(OUT_OF_ROTATION, &what, async || {
            (system.registered("video").await.len() == count).then_some(())
        })
        .await;
    };
    registered(2).await;

    let load = Load::start(&system, &account);
    let [first, second] = system.instances("video") else {
        panic!("two video instances");
    };
    eventually(SOON, "a hundred calls", async || {
        (calls(first) + calls(second) >= 100).then_some(())
    })
    .await;
    let (a, b) = (calls(first), calls(second));
    assert!(a.min(b) * 3 >= a.max(b), "spread unevenly: {a} and {b}");

    first.kill9();
    system.instances("user")[1].kill9();
    registered(1).await;
    let (answers, served) = (load.answers(), calls(second));
    eventually(SOON, "calls on the instance that is left", async || {
        (calls(second) >= served + 20 && load.answers() >= answers + 20).then_some(())
    })
    .await;
    load.stop().await;
}

#[tokio::test]
async fn an_instance_that_is_asked_to_stop_takes_no_request_with_it() {
    let mut system = system_builder().instances("video", 2).start().await;
    let account = system.client().new_account().await;
    let load = Load::start(&system, &account);
    eventually(SOON, "a running load", async || {
        (load.answers() > 20).then_some(())
    })
    .await;
    let old = &system.instances("video")[0];
    old.terminate();
    assert!(
        old.ended(Duration::from_secs(15)).await.success(),
        "{}",
        old.tail()
    );
    assert_eq!(system.registered("video").await.len(), 1);
    system.start_instance("video").await;
    let newest = system.instances("video").last().unwrap();
    eventually(SOON, "calls on the new instance", async || {
        (calls(newest) > 5).then_some(())
    })
    .await;
    load.stop().await;
}
