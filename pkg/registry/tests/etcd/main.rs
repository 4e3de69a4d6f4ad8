//! Registration and discovery against an etcd that the test kills, freezes and empties.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod renewal;
mod trust;

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use etcd_client::{Client, CompactionOptions, GetOptions, Permission};
use registry::{Balancer, Instance, Instances, Registry};
use settings::{Secret, Settings};
use testkit::{Certificates, Etcd, eventually};

const PREFIX: &str = "kitex/registry-etcd";
const TTL: Duration = Duration::from_secs(2);
/// Enough for anything that is to happen soon, on a busy machine.
const SOON: Duration = Duration::from_secs(20);

fn settings(etcd: &Etcd) -> Settings {
    let mut settings = Settings::load().unwrap();
    settings.etcd.endpoints = vec![etcd.endpoint()];
    settings.etcd.prefix = PREFIX.to_owned();
    settings.etcd.lease_ttl_s = i64::try_from(TTL.as_secs()).unwrap();
    settings
}

async fn registry(etcd: &Etcd) -> Registry {
    Registry::new(&settings(etcd)).await.unwrap()
}

async fn client(etcd: &Etcd) -> Client {
    Client::connect([etcd.endpoint()], None).await.unwrap()
}

fn address(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

fn key(port: u16) -> String {
    format!("{PREFIX}/echo/127.0.0.1:{port}")
}

/// Keys and values below the service's prefix; none when etcd is away.
async fn stored(client: &Client) -> Option<Vec<(String, String)>> {
    let options = GetOptions::new().with_prefix();
    let answer = client.kv_client().get(PREFIX, Some(options)).await.ok()?;
    let pair = |kv: &etcd_client::KeyValue| {
        (
            kv.key_str().unwrap().to_owned(),
            kv.value_str().unwrap().to_owned(),
        )
    };
    Some(answer.kvs().iter().map(pair).collect())
}

fn instance(port: u16) -> Instance {
    Instance::new(address(port), 10)
}

async fn register_by(settings: &Settings, port: u16) -> registry::Registration {
    let registry = Registry::new(settings).await.unwrap();
    let mut registration = registry.register("echo", &instance(port));
    registration.registered().await;
    registration
}

async fn known_by(settings: &Settings) -> Instances {
    Registry::new(settings).await.unwrap().instances("echo")
}

async fn until_stored(client: &Client, ports: &[u16]) {
    let keys: Vec<String> = ports.iter().copied().map(key).collect();
    eventually(SOON, &format!("keys {keys:?}"), async || {
        let stored = stored(client).await?;
        (stored.iter().map(|(key, _)| key).eq(&keys)).then_some(())
    })
    .await;
}

fn ports(instances: &Instances) -> Vec<u16> {
    let mut ports: Vec<u16> = instances
        .current()
        .iter()
        .map(|i| i.address.port())
        .collect();
    ports.sort_unstable();
    ports
}

async fn until_known(instances: &Instances, expected: &[u16]) {
    eventually(SOON, &format!("instances {expected:?}"), async || {
        (ports(instances) == expected).then_some(())
    })
    .await;
}

/// A registration as a Kitex service or an operator would write it: without a lease.
async fn put(client: &Client, port: u16) {
    let value =
        format!(r#"{{"network":"tcp","address":"127.0.0.1:{port}","weight":10,"tags":null}}"#);
    client
        .kv_client()
        .put(key(port), value, None)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_has_the_layout_of_kitex_and_goes_when_it_leaves() {
    let etcd = Etcd::start().await;
    let client = client(&etcd).await;
    let mut registration = registry(&etcd).await.register("echo", &instance(1234));
    registration.registered().await;
    let expected = r#"{"network":"tcp","address":"127.0.0.1:1234","weight":10,"tags":null}"#;
    assert_eq!(
        stored(&client).await.unwrap(),
        [(
            "kitex/registry-etcd/echo/127.0.0.1:1234".to_owned(),
            expected.to_owned()
        )]
    );
    registration.deregister().await;
    assert_eq!(stored(&client).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_at_ipv6_is_found_though_kitex_leaves_its_brackets_away() {
    let etcd = Etcd::start().await;
    let instances = known_by(&settings(&etcd)).await;
    let value = r#"{"network":"tcp","address":"::1:8888","weight":10,"tags":null}"#;
    let mut kv = client(&etcd).await.kv_client();
    kv.put(format!("{PREFIX}/echo/::1:8888"), value, None)
        .await
        .unwrap();
    eventually(SOON, "the instance", async || {
        let known = instances.current();
        let address = known.first()?.address;
        (known.len() == 1 && address == "[::1]:8888".parse().unwrap()).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_dies_is_out_after_its_lease() {
    let etcd = Etcd::start().await;
    let client = client(&etcd).await;
    let mut registration = registry(&etcd).await.register("echo", &instance(1234));
    registration.registered().await;
    drop(registration);
    until_stored(&client, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_lease_and_a_deleted_key_are_registered_again() {
    let etcd = Etcd::start().await;
    let client = client(&etcd).await;
    let mut registration = registry(&etcd).await.register("echo", &instance(1234));
    registration.registered().await;
    let lease = client.lease_client().leases().await.unwrap().leases()[0].id();
    client.lease_client().revoke(lease).await.unwrap();
    until_stored(&client, &[1234]).await;
    client.kv_client().delete(key(1234), None).await.unwrap();
    until_stored(&client, &[1234]).await;
    // It still is kept alive.
    tokio::time::sleep(TTL * 2).await;
    until_stored(&client, &[1234]).await;
    registration.deregister().await;
    until_stored(&client, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_starts_before_etcd_registers_and_finds_when_it_comes() {
    let etcd = Etcd::start().await;
    etcd.kill();
    let registry = registry(&etcd).await;
    let registration = registry.register("echo", &instance(1234));
    let instances = registry.instances("echo");
    let error = instances
        .ready(tokio::time::Instant::now() + TTL)
        .await
        .unwrap_err();
    assert!(
        matches!(error, registry::RegistryError::Unknown(_)),
        "{error}"
    );
    assert!(!registration.is_registered());
    etcd.restart().await;
    until_known(&instances, &[1234]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_instances_is_an_error_at_once() {
    let etcd = Etcd::start().await;
    let instances = registry(&etcd).await.instances("nobody");
    // Without an answer of etcd it would be another error, at the deadline.
    let error = instances
        .ready(tokio::time::Instant::now() + SOON)
        .await
        .unwrap_err();
    assert!(
        matches!(error, registry::RegistryError::Empty(_)),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_reach_a_client_at_once() {
    let etcd = Etcd::start().await;
    let mut settings = settings(&etcd);
    settings.etcd.relist_period_ms = 3_600_000;
    let registry = Registry::new(&settings).await.unwrap();
    let instances = registry.instances("echo");
    let mut one = registry.register("echo", &instance(1));
    one.registered().await;
    let mut two = registry.register("echo", &instance(2));
    two.registered().await;
    until_known(&instances, &[1, 2]).await;
    one.deregister().await;
    // By the watch: the list isn't read again within this test.
    until_known(&instances, &[2]).await;
}

/// Watches that from now on there are always so many instances.
fn never_below(instances: &Instances, least: usize) -> tokio::task::JoinHandle<()> {
    let instances = instances.clone();
    tokio::spawn(async move {
        loop {
            let current = ports(&instances);
            assert!(current.len() >= least, "{current:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
}

/// In the test below.
const LONGER_THAN_A_LEASE: Duration = Duration::from_secs(6);

#[tokio::test(flavor = "multi_thread")]
async fn instances_stay_while_etcd_is_away_and_are_registered_again() {
    let etcd = Etcd::start().await;
    let mut settings = settings(&etcd);
    // Instances stay for a lease and 2 s. A registration may be late by a wait of 1 s, a call of 2 s, and what a busy machine adds.
    settings.etcd.lease_ttl_s = 4;
    let registry = Registry::new(&settings).await.unwrap();
    let client = client(&etcd).await;
    let instances = registry.instances("echo");
    let one = registry.register("echo", &instance(1));
    let _two = registry.register("echo", &instance(2));
    until_known(&instances, &[1, 2]).await;
    let watcher = never_below(&instances, 2);

    etcd.kill();
    tokio::time::sleep(LONGER_THAN_A_LEASE).await;
    etcd.restart().await;
    let back = Instant::now();
    until_stored(&client, &[1, 2]).await;
    println!("after a restart: {:?}", back.elapsed());

    etcd.restart_empty().await;
    let back = Instant::now();
    until_stored(&client, &[1, 2]).await;
    println!("after an empty restart: {:?}", back.elapsed());

    assert!(
        !watcher.is_finished(),
        "an instance was missing for a moment"
    );
    watcher.abort();
    // Leases run out while it is frozen, so that it deletes all when it goes on: one after the other, and each goes at once, as one
    // that has left. But not the last.
    let watcher = never_below(&instances, 1);
    etcd.freeze();
    tokio::time::sleep(LONGER_THAN_A_LEASE).await;
    etcd.thaw();
    let back = Instant::now();
    until_stored(&client, &[1, 2]).await;
    println!("after a freeze: {:?}", back.elapsed());

    assert!(!watcher.is_finished(), "none was known for a moment");
    watcher.abort();
    // And the watch works again.
    one.deregister().await;
    until_known(&instances, &[2]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_does_not_return_with_an_empty_etcd_goes_after_the_grace() {
    let etcd = Etcd::start().await;
    let registry = registry(&etcd).await;
    let instances = registry.instances("echo");
    put(&client(&etcd).await, 1).await;
    let _two = registry.register("echo", &instance(2));
    until_known(&instances, &[1, 2]).await;
    etcd.restart_empty().await;
    until_known(&instances, &[2]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_right_after_history_was_compacted_while_the_watch_was_lost() {
    let etcd = Etcd::start().await;
    let registry = registry(&etcd).await;
    let instances = registry.instances("echo");
    let writer = client(&etcd).await;
    put(&writer, 1).await;
    put(&writer, 2).await;
    until_known(&instances, &[1, 2]).await;

    etcd.kill();
    etcd.restart().await;
    // Likely before the watcher is back; in any order the result is the same.
    let writer = client(&etcd).await;
    put(&writer, 3).await;
    let deleted = writer.kv_client().delete(key(1), None).await.unwrap();
    let revision = deleted.header().unwrap().revision();
    writer
        .kv_client()
        .compact(revision, Some(CompactionOptions::new().with_physical()))
        .await
        .unwrap();
    until_known(&instances, &[2, 3]).await;
    put(&writer, 4).await;
    until_known(&instances, &[2, 3, 4]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_spread_by_weight_and_pass_over_what_failed() {
    let etcd = Etcd::start().await;
    let registry = registry(&etcd).await;
    let _light = registry.register("echo", &instance(1));
    let _heavy = registry.register("echo", &Instance::new(address(2), 30));
    let instances = registry.instances("echo");
    until_known(&instances, &[1, 2]).await;
    let balancer = Balancer::new(instances);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    let pick = async |tried: &[SocketAddr]| balancer.pick(tried, deadline).await.unwrap();

    let mut light = 0;
    for _ in 0..4000 {
        light += u32::from(pick(&[]).await == Some(address(1)));
    }
    assert!((800..1200).contains(&light), "{light} of 4000");

    balancer.failed(address(2));
    for _ in 0..100 {
        assert_eq!(pick(&[]).await, Some(address(1)));
    }
    assert_eq!(
        pick(&[address(1)]).await,
        Some(address(2)),
        "better than none"
    );
    assert_eq!(pick(&[address(1), address(2)]).await, None);
    balancer.succeeded(address(2));
    let mut heavy = 0;
    for _ in 0..100 {
        heavy += u32::from(pick(&[]).await == Some(address(2)));
    }
    assert!(heavy > 30, "{heavy} of 100");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_call_at_a_time_tries_what_failed_again() {
    let etcd = Etcd::start().await;
    let registry = registry(&etcd).await;
    let _one = registry.register("echo", &instance(1));
    let _two = registry.register("echo", &instance(2));
    let instances = registry.instances("echo");
    until_known(&instances, &[1, 2]).await;
    let balancer = Balancer::new(instances);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    balancer.failed(address(2));
    let ejected = Instant::now();
    eventually(SOON, "another try of the failed instance", async || {
        let picked = balancer.pick(&[], deadline).await.unwrap();
        (picked == Some(address(2))).then_some(())
    })
    .await;
    assert!(ejected.elapsed() > Duration::from_secs(2));
    for _ in 0..100 {
        let picked = balancer.pick(&[], deadline).await.unwrap();
        assert_eq!(picked, Some(address(1)));
    }
}

/// Has etcd ask for users from now on: root, and one that may do in our prefix as it likes.
async fn ask_for_users(etcd: &Etcd) {
    let mut admin = client(etcd).await;
    for (name, password) in [("root", "root's"), ("dousheng", "a registry's password")] {
        admin.user_add(name, password, None).await.unwrap();
        admin.role_add(name).await.unwrap();
        admin.user_grant_role(name, name).await.unwrap();
    }
    let ours = Permission::read_write(PREFIX).with_prefix();
    admin.role_grant_permission("dousheng", ours).await.unwrap();
    admin.auth_enable().await.unwrap();
}

fn as_user(etcd: &Etcd, password: &str) -> Settings {
    let mut settings = settings(etcd);
    settings.etcd.username = "dousheng".to_owned();
    settings.etcd.password = Secret::new(password);
    settings
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_password_registers_and_finds_also_after_a_restart_that_forgets_all_tokens() {
    let etcd = Etcd::start().await;
    ask_for_users(&etcd).await;
    let ours = as_user(&etcd, "a registry's password");
    let registry = Registry::new(&ours).await.unwrap();
    let finder = Registry::new(&ours).await.unwrap();
    let _one = registry.register("echo", &Instance::new(address(7001), 10));
    let found = finder.instances("echo");
    until_known(&found, &[7001]).await;
    registry.ping().await.unwrap();

    for settings in [settings(&etcd), as_user(&etcd, "another password")] {
        let stranger = Registry::new(&settings).await.unwrap();
        stranger.ping().await.unwrap_err();
    }

    etcd.restart().await;
    let _two = registry.register("echo", &Instance::new(address(7002), 10));
    until_known(&found, &[7001, 7002]).await;
    // Its lease is still renewed: it outlives itself.
    tokio::time::sleep(TTL * 2).await;
    assert_eq!(found.current().len(), 2);
    let third = Registry::new(&ours).await.unwrap();
    until_known(&third.instances("echo"), &[7001, 7002]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn etcd_by_tls_is_used_where_its_certificate_is_trusted() {
    let certificates = Certificates::make();
    let etcd = Etcd::start_with_tls(&certificates).await;
    let trusting = |ca_file| {
        let mut settings = settings(&etcd);
        settings.etcd.ca_file = ca_file;
        settings
    };
    let ours = trusting(Some(certificates.ca()));
    let ours = Registry::new(&ours).await.unwrap();
    let _one = ours.register("echo", &Instance::new(address(7001), 10));
    until_known(&ours.instances("echo"), &[7001]).await;
    ours.ping().await.unwrap();

    for ca_file in [None, Some(Certificates::make().ca())] {
        let stranger = Registry::new(&trusting(ca_file)).await.unwrap();
        let error = stranger.ping().await.unwrap_err().to_string();
        assert!(error.contains("UnknownIssuer"), "{error}");
        assert!(error.contains("tls.ca_file"), "{error}");
    }
}
