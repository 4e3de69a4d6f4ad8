//! Limits on a real Redis: across processes, and without Redis.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{net::IpAddr, time::Duration};

use limits::{Claim, Class, Limits};
use settings::{Secret, Settings};
use testkit::{Redis, RedisCluster, eventually};

const SOON: Duration = Duration::from_secs(20);
/// By as much may two clocks, and a slow test, be wrong.
const SLACK: Duration = Duration::from_secs(10);

/// As another process would have them.
fn process(redis: &Redis) -> Limits {
    process_at(redis.url())
}

fn process_at(url: String) -> Limits {
    let mut settings = Settings::load().unwrap();
    settings.redis.url = Secret::new(url);
    let mut rates = settings.limits();
    rates.login_per_address = 5;
    rates.login_per_name = 3;
    rates.write_per_user = 40;
    rates.upload_bytes_per_user_day = 1 << 20;
    Limits::connect(rates, &settings.redis).unwrap()
}

fn from(address: &str) -> Claim {
    Claim::address(Class::Login, address.parse::<IpAddr>().unwrap())
}

fn keys(redis: &Redis) -> usize {
    redis.command(4, &["DBSIZE"]).parse().unwrap()
}

/// Until what it counts is in Redis: its first commands come before its connection.
async fn connected(redis: &Redis, limits: &Limits, number: i64) {
    counted(|| keys(redis), limits, number).await;
}

async fn counted(keys: impl Fn() -> usize, limits: &Limits, number: i64) {
    let mut subject = number * 1_000_000;
    while {
        subject += 1;
        let before = keys();
        let claim = Claim::user(Class::LoginName, subject);
        limits.admit(&[claim]).await.unwrap();
        keys() == before
    } {
        assert!(subject % 1_000_000 < 1000, "no connection");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_count_together_what_is_asked_before_it_is_done() {
    let redis = Redis::start().await;
    let (one, other) = (process(&redis), process(&redis));
    connected(&redis, &one, 1).await;
    connected(&redis, &other, 2).await;
    for attempt in 0..5 {
        let process = if attempt % 2 == 0 { &one } else { &other };
        process.admit(&[from("192.0.2.1")]).await.unwrap();
    }
    for process in [&one, &other] {
        let refused = process.admit(&[from("192.0.2.1")]).await.unwrap_err();
        let minute_s_fifth = Duration::from_secs(12);
        assert!(refused.wait <= minute_s_fifth, "{refused:?}");
        assert!(refused.wait + SLACK > minute_s_fifth, "{refused:?}");
        process.admit(&[from("192.0.2.2")]).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_count_together_on_a_redis_cluster() {
    let cluster = RedisCluster::start().await;
    let (one, other) = (process_at(cluster.url()), process_at(cluster.url()));
    let keys = || cluster.sizes().iter().sum();
    counted(keys, &one, 1).await;
    counted(keys, &other, 2).await;
    // So many that each node has some of them.
    let addresses: Vec<_> = (1..=32).map(|n| format!("192.0.2.{n}")).collect();
    for address in &addresses {
        for attempt in 0..5 {
            let process = if attempt % 2 == 0 { &one } else { &other };
            process.admit(&[from(address)]).await.unwrap();
        }
        for process in [&one, &other] {
            process.admit(&[from(address)]).await.unwrap_err();
        }
    }
    assert!(
        cluster.sizes().iter().all(|keys| *keys > 0),
        "{:?}",
        cluster.sizes()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_hear_of_each_other_what_is_counted_as_it_is_done() {
    let redis = Redis::start().await;
    let (one, other) = (process(&redis), process(&redis));
    connected(&redis, &one, 1).await;
    connected(&redis, &other, 2).await;
    let claim = Claim::user(Class::WriteUser, 7);
    for _ in 0..39 {
        one.count(&[claim]).unwrap();
    }
    // It hears of it with what it counts itself.
    eventually(SOON, "what the other has counted", async || {
        other.count(&[claim]).err()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_a_process_counts_for_itself_and_goes_on_where_it_was() {
    let redis = Redis::start().await;
    let limits = process(&redis);
    connected(&redis, &limits, 1).await;
    for _ in 0..3 {
        limits.admit(&[from("192.0.2.1")]).await.unwrap();
    }
    redis.kill();
    for _ in 0..2 {
        limits.admit(&[from("192.0.2.1")]).await.unwrap();
    }
    limits.admit(&[from("192.0.2.1")]).await.unwrap_err();
    // Nor does an empty Redis forgive.
    redis.restart_empty().await;
    limits.admit(&[from("192.0.2.1")]).await.unwrap_err();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_that_is_refused_here_shields_those_behind_it() {
    let redis = Redis::start().await;
    let limits = process(&redis);
    let name = Claim::name(Class::LoginName, "somebody");
    for _ in 0..5 {
        let other_name = Claim::name(Class::LoginName, "another");
        limits.admit(&[from("192.0.2.1"), other_name]).await.ok();
    }
    for _ in 0..10 {
        let attempt = limits.admit(&[from("192.0.2.1"), name]).await;
        attempt.unwrap_err();
    }
    limits.admit(&[from("192.0.2.2"), name]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_not_taken_from_its_owner_from_one_place_nor_guessed_for_ever_from_many() {
    let redis = Redis::start().await;
    let limits = process(&redis);
    let anywhere = Claim::name(Class::LoginNameAnywhere, "victim");
    let try_from = async |address: String| {
        let here = Claim::name_from(Class::LoginName, "victim", address.parse().unwrap());
        limits.admit(&[from(&address), here, anywhere]).await
    };
    // Three from one place, whoever goes on trying there; the owner is elsewhere.
    for attempt in 0..20 {
        let tried = try_from("192.0.2.1".to_owned()).await;
        assert_eq!(tried.is_ok(), attempt < 3, "{attempt}");
    }
    try_from("192.0.2.2".to_owned()).await.unwrap();
    // Ten times that from everywhere; two seconds bring one more.
    let mut tries = 4;
    while try_from(format!("198.51.100.{tries}")).await.is_ok() {
        tries += 1;
        assert!(tries < 200, "for ever");
    }
    assert!(tries >= 30, "{tries}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_refused_hears_of_the_claim_that_keeps_them_longest() {
    let redis = Redis::start().await;
    let limits = process(&redis);
    let name = Claim::name(Class::LoginName, "somebody");
    for _ in 0..3 {
        limits.admit(&[name]).await.unwrap();
    }
    for _ in 0..5 {
        limits.admit(&[from("192.0.2.1")]).await.unwrap();
    }
    // The address lets the next one in after 12 s, the name after 20 s.
    for claims in [[from("192.0.2.1"), name], [name, from("192.0.2.1")]] {
        let refused = limits.admit(&claims).await.unwrap_err();
        assert!(refused.wait <= Duration::from_secs(20), "{refused:?}");
        assert!(
            refused.wait + SLACK > Duration::from_secs(20),
            "{refused:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_are_charged_whole_and_then_waited_for() {
    let redis = Redis::start().await;
    let limits = process(&redis);
    let quota = Claim::user(Class::UploadBytes, 7);
    limits.admit(&[quota]).await.unwrap();
    limits.charge(quota, 3 << 19);
    let refused = limits.admit(&[quota]).await.unwrap_err();
    let half_a_day = Duration::from_secs(12 * 60 * 60);
    assert!(refused.wait <= half_a_day + SLACK, "{refused:?}");
    assert!(refused.wait + SLACK > half_a_day, "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_of_one_ipv6_network_count_as_one_and_a_mapped_one_as_what_it_is() {
    let redis = Redis::start().await;
    let limits = process(&redis);
    for host in 1..=5 {
        let address = from(&format!("2001:db8:0:1::{host}"));
        limits.admit(&[address]).await.unwrap();
    }
    limits.admit(&[from("2001:db8:0:1::6")]).await.unwrap_err();
    limits.admit(&[from("2001:db8:0:2::6")]).await.unwrap();
    assert_eq!(from("::ffff:192.0.2.1"), from("192.0.2.1"));
}

/// The two counts are one algorithm: what one process allows alone, two allow together.
#[tokio::test(flavor = "multi_thread")]
async fn redis_and_the_process_agree_on_every_step() {
    let redis = Redis::start().await;
    let (alone, first, second) = (process(&redis), process(&redis), process(&redis));
    connected(&redis, &first, 1).await;
    connected(&redis, &second, 2).await;
    let mine = Claim::user(Class::LoginName, 1);
    let ours = Claim::user(Class::LoginName, 2);
    for step in 0..12 {
        let expected = alone.admit(&[mine]).await.is_ok();
        let process = if step % 3 == 0 { &first } else { &second };
        assert_eq!(process.admit(&[ours]).await.is_ok(), expected, "{step}");
    }
}
