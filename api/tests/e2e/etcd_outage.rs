//! etcd is away: processes that know each other go on, and all register again when it returns.

use std::time::Duration;

use testkit::{System, eventually, media};

use crate::{load::Load, system_builder};

const LEASE_S: u64 = 3;
/// Longer than a lease: what etcd knew is stale when it returns.
const OUTAGE: Duration = Duration::from_secs(8);

async fn all_registered(system: &System, deadline: Duration) {
    eventually(
        deadline,
        "two registered instances of each service",
        async || {
            let user = system.registered("user").await.len();
            let video = system.registered("video").await.len();
            ((user, video) == (2, 2)).then_some(())
        },
    )
    .await;
}

#[tokio::test]
async fn no_request_fails_while_etcd_is_away_and_all_register_again() {
    let system = system_builder()
        .own_etcd()
        .instances("user", 2)
        .instances("video", 2)
        .set("etcd.lease_ttl_s", LEASE_S)
        .start()
        .await;
    let client = system.client();
    let account = client.new_account().await;
    client
        .publish(&account.token, "A film", media::mp4())
        .await
        .ok();
    let lease = Duration::from_secs(LEASE_S);
    all_registered(&system, lease).await;

    let load = Load::start(&system, &account);
    system.etcd().kill();
    tokio::time::sleep(OUTAGE).await;
    // Writes go on as well.
    client.new_account().await;
    client
        .publish(&account.token, "During the outage", media::mp4())
        .await
        .ok();
    system.etcd().restart().await;
    all_registered(&system, lease).await;

    // It has forgotten everything, and its revisions start from 1.
    system.etcd().restart_empty().await;
    all_registered(&system, lease).await;
    // What registers now is found by who was there before.
    let answers = load.answers();
    eventually(
        Duration::from_secs(10),
        "answers after the outage",
        async || (load.answers() > answers + 40).then_some(()),
    )
    .await;
    load.stop().await;
}
