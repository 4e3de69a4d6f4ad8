//! etcd is away: processes that know each other go on, and all register again when it returns.

use std::time::{Duration, Instant};

use testkit::{System, eventually, media};

use crate::{load::Load, system_builder};

/// Those that are known stay for a lease and 2 s when etcd comes back empty: time enough to register again on a busy machine.
const LEASE_S: u64 = 6;
/// Longer than a lease: what etcd knew is stale when it returns.
const OUTAGE: Duration = Duration::from_secs(8);
/// Bounds waits. A registration may be late by a wait of 1 s, a call of 2 s, and what a busy machine adds.
const SOON: Duration = Duration::from_secs(60);

async fn all_registered(system: &System, when: &str) {
    let start = Instant::now();
    let what = format!("two registered instances of each service {when}");
    eventually(SOON, &what, async || {
        let user = system.registered("user").await.len();
        let video = system.registered("video").await.len();
        ((user, video) == (2, 2)).then_some(())
    })
    .await;
    println!("registered {when}: {:?}", start.elapsed());
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
    all_registered(&system, "at the start").await;

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
    all_registered(&system, "after the outage").await;

    // It has forgotten everything, and its revisions start from 1.
    system.etcd().restart_empty().await;
    all_registered(&system, "after an empty restart").await;
    // What registers now is found by who was there before.
    let answers = load.answers();
    eventually(SOON, "answers after the outage", async || {
        (load.answers() > answers + 40).then_some(())
    })
    .await;
    load.stop().await;
}
