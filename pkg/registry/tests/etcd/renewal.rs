//! Changes that a watch doesn't report: the list is read again, and an etcd member without a leader is left.

use etcd_client::Client;
use registry::Registry;
use settings::Settings;
use testkit::{Etcd, EtcdCluster, eventually};

use crate::{PREFIX, SOON, client, key, known_by, put, register_by, settings, until_known};

/// Lists of keys that etcd has answered.
async fn lists_served(etcd: &Etcd) -> u64 {
    let url = format!("{}/metrics", etcd.endpoint());
    let metrics = reqwest::get(url).await.unwrap().text().await.unwrap();
    let line = metrics
        .lines()
        .find(|line| line.starts_with("etcd_debugging_mvcc_range_total "))
        .unwrap();
    let count: f64 = line.rsplit(' ').next().unwrap().parse().unwrap();
    count as u64
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_read_again_once_a_period_though_nothing_happens() {
    let etcd = Etcd::start().await;
    put(&client(&etcd).await, 1).await;
    let mut settings = settings(&etcd);
    settings.etcd.relist_period_ms = 100;
    let known = known_by(&settings).await;
    until_known(&known, &[1]).await;
    let before = lists_served(&etcd).await;
    eventually(SOON, "ten more lists", async || {
        (lists_served(&etcd).await >= before + 10).then_some(())
    })
    .await;
    until_known(&known, &[1]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_while_lists_are_read_again_and_again_is_out_at_once() {
    let etcd = Etcd::start().await;
    let mut settings = settings(&etcd);
    // A grace that nobody waits for.
    settings.etcd.lease_ttl_s = 60;
    settings.etcd.relist_period_ms = 50;
    let registry = Registry::new(&settings).await.unwrap();
    let _stays = register_by(&settings, 1).await;
    let known = registry.instances("echo");
    for _ in 0..100 {
        let leaves = register_by(&settings, 2).await;
        until_known(&known, &[1, 2]).await;
        leaves.deregister().await;
        until_known(&known, &[1]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_on_a_member_that_is_cut_off_from_the_others_goes_on_elsewhere() {
    let cluster = EtcdCluster::start().await;
    let mut settings = Settings::load().unwrap();
    settings.etcd.endpoints = cluster.endpoints();
    settings.etcd.prefix = PREFIX.to_owned();
    // Nothing but the watch tells it.
    settings.etcd.relist_period_ms = 3_600_000;
    // So many that one of them watches at that member.
    let mut watchers = Vec::new();
    for _ in 0..12 {
        watchers.push(known_by(&settings).await);
    }
    let everywhere = Client::connect(cluster.endpoints(), None).await.unwrap();
    put(&everywhere, 1).await;
    for known in &watchers {
        until_known(known, &[1]).await;
    }
    cluster.cut_off(0).await;
    let others = Client::connect(&cluster.endpoints()[1..], None)
        .await
        .unwrap();
    let value = r#"{"network":"tcp","address":"127.0.0.1:2","weight":10,"tags":null}"#;
    eventually(SOON, "a write at the others", async || {
        let mut kv = others.kv_client();
        kv.put(key(2), value, None).await.ok()
    })
    .await;
    for known in &watchers {
        until_known(known, &[1, 2]).await;
    }
}
