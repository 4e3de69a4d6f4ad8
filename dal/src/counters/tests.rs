//! The races between a loader and a writer, step by step: what a loader read before a commit can't outlive it. Also what an epoch ends.

use std::{collections::HashMap, time::Duration};

use testkit::Redis;

use super::{compare::Mismatch, entry::Entry, *};

const HOT: Counter = Counter::VideoFavorites(1);
const KEY: &str = "{v1}:favorites";
const DATABASE: u8 = 1;
/// The position of the epoch's commit.
const EPOCH: u64 = 4;

/// Counters on a Redis of the test's own; MySQL is never asked.
async fn counters() -> (Redis, Counters) {
    let redis = Redis::start().await;
    let mysql = settings::Mysql {
        primary_url: settings::Secret::new("mysql://nobody:nothing@127.0.0.1:1/none"),
        replica_urls: Vec::new(),
        migrate_url: settings::Secret::new(""),
        max_connections: 1,
        max_fallback_connections: 1,
        acquire_timeout_ms: 1000,
        reads_after_writes: settings::ReadsAfterWrites::Gtid,
        max_lag_s: 30,
        replica_wait_ms: 50,
    };
    let settings = settings::Redis {
        url: settings::Secret::new(redis.url()),
        favorites_db: DATABASE,
        comments_db: 2,
        marks_db: 3,
        limits_db: 4,
        key_prefix: String::new(),
        counter_ttl_s: 600,
        command_timeout_ms: 2000,
        ca_file: None,
    };
    let counters = Counters::connect(&settings, Db::connect(&mysql).unwrap()).unwrap();
    trust(&redis);
    testkit::eventually(Duration::from_secs(10), "Redis", async || {
        counters.look_up(&[HOT]).await.ok()
    })
    .await;
    (redis, counters)
}

/// As a keeper does, and nobody here is one.
fn trust(redis: &Redis) {
    make_epoch(redis, EPOCH);
    redis.command(DATABASE, &["ZADD", "counts:leases", "+inf", "whole"]);
}

/// An epoch of this run of the server.
fn make_epoch(redis: &Redis, seq: u64) {
    let info = redis.command(DATABASE, &["INFO", "server"]);
    let run_id = info.lines().find_map(|line| line.strip_prefix("run_id:"));
    let epoch = format!("{} 1 {seq} 0-1-{seq}", run_id.unwrap().trim());
    redis.command(DATABASE, &["SET", "counts:epoch", &epoch]);
}

fn exact(count: i64) -> HashMap<Counter, i64> {
    HashMap::from([(HOT, count)])
}

async fn held(counters: &Counters) -> Option<i64> {
    counters.look_up(&[HOT]).await.unwrap().remove(&HOT)
}

/// Whether `token` may load.
async fn acquires(counters: &Counters, token: &str) -> bool {
    let acquired = counters.acquire(&[HOT], token).await.unwrap();
    acquired.won == [(HOT, EPOCH)]
}

/// Stores what was loaded under the lock of `token`.
async fn store(counters: &Counters, count: i64, token: &str) {
    let won = [(HOT, EPOCH)];
    counters.store(&won, Some(&exact(count)), token).await;
}

#[tokio::test]
async fn nothing_is_trusted_while_a_lease_has_run_out_or_a_key_of_the_trust_is_missing() {
    let (redis, counters) = counters().await;
    counters
        .publish_commit(Position { seq: 5 }, &exact(8))
        .await;
    let takes_away: [&[&str]; 5] = [
        &["ZADD", "counts:leases", "1", "a writer"],
        &["DEL", "counts:leases"],
        &["DEL", "counts:epoch"],
        &["SET", "counts:epoch", "nonsense"],
        // As after a restart with older data, before any writer has noticed.
        &["SET", "counts:epoch", "0123456789abcdef 1 4 0-1-4"],
    ];
    for command in takes_away {
        assert_eq!(held(&counters).await, Some(8));
        redis.command(DATABASE, command);
        assert!(counters.look_up(&[HOT]).await.is_err(), "{command:?}");
        redis.command(DATABASE, &["ZREM", "counts:leases", "a writer"]);
        trust(&redis);
    }
}

#[tokio::test]
async fn one_loader_at_a_time_and_none_once_the_key_is_there() {
    let (_redis, counters) = counters().await;
    assert!(acquires(&counters, "a").await);
    assert!(!acquires(&counters, "b").await);
    // Not b's lock: neither stored nor given back.
    store(&counters, 9, "b").await;
    assert_eq!(held(&counters).await, None);
    assert!(!acquires(&counters, "b").await);
    // Nothing loaded: given back at once.
    counters.store(&[(HOT, EPOCH)], None, "a").await;
    assert!(acquires(&counters, "b").await);
    store(&counters, 9, "b").await;
    // The second check finds it: it was created between the first check and the attempt to lock.
    let acquired = counters.acquire(&[HOT], "c").await.unwrap();
    assert_eq!((acquired.found, acquired.won), (exact(9), Vec::new()));
}

#[tokio::test]
async fn a_load_that_began_before_a_commit_does_not_replace_its_count() {
    let (_redis, counters) = counters().await;
    assert!(acquires(&counters, "a").await);
    counters
        .publish_commit(Position { seq: 5 }, &exact(8))
        .await;
    store(&counters, 7, "a").await;
    assert_eq!(held(&counters).await, Some(8));
}

#[tokio::test]
async fn a_loaded_count_yields_to_every_commit() {
    let (_redis, counters) = counters().await;
    assert!(acquires(&counters, "a").await);
    store(&counters, 7, "a").await;
    assert_eq!(held(&counters).await, Some(7));
    // Loaded after the epoch's commit: what is older is included.
    for (seq, count) in [(EPOCH - 1, 7), (EPOCH + 1, 8)] {
        counters.publish_commit(Position { seq }, &exact(8)).await;
        assert_eq!(held(&counters).await, Some(count));
    }
}

#[tokio::test]
async fn what_is_older_than_the_epoch_counts_for_nobody_and_is_loaded_anew() {
    let (redis, counters) = counters().await;
    redis.command(DATABASE, &["SET", KEY, "6 3 1"]);
    assert_eq!(held(&counters).await, None);
    assert!(acquires(&counters, "a").await);
    store(&counters, 7, "a").await;
    assert_eq!(held(&counters).await, Some(7));
    // A load that goes on over the end of an epoch, and a writer's late message.
    redis.command(DATABASE, &["DEL", KEY]);
    assert!(acquires(&counters, "a").await);
    make_epoch(&redis, 9);
    store(&counters, 7, "a").await;
    assert_eq!(held(&counters).await, None);
    counters
        .publish_commit(Position { seq: 8 }, &exact(8))
        .await;
    assert_eq!(held(&counters).await, None);
    counters
        .publish_commit(Position { seq: 9 }, &exact(8))
        .await;
    assert_eq!(held(&counters).await, Some(8));
}

#[tokio::test]
async fn a_load_does_not_survive_the_end_of_an_epoch_that_the_database_does_not_have() {
    let (redis, counters) = counters().await;
    assert!(acquires(&counters, "a").await);
    // An older dump was restored: the next epoch is of an earlier commit, and every writer would be refused.
    make_epoch(&redis, EPOCH - 1);
    store(&counters, 7, "a").await;
    assert_eq!(redis.command(DATABASE, &["EXISTS", KEY]), "0");
    assert_eq!(
        redis.command(DATABASE, &["EXISTS", &Keys::lock(KEY)]),
        "0",
        "the lock is given back"
    );
}

#[tokio::test]
async fn the_second_check_finds_nothing_that_another_run_of_the_server_left() {
    let (redis, counters) = counters().await;
    let epoch = format!("0123456789abcdef 1 {EPOCH} 0-1-{EPOCH}");
    redis.command(DATABASE, &["SET", "counts:epoch", &epoch]);
    redis.command(DATABASE, &["SET", KEY, "6 5 1"]);
    let acquired = counters.acquire(&[HOT], "a").await.unwrap();
    assert_eq!(
        (acquired.found, acquired.won),
        (HashMap::new(), vec![(HOT, EPOCH)])
    );
}

#[tokio::test]
async fn a_load_does_not_survive_a_deletion() {
    let (redis, counters) = counters().await;
    for delete in ["invalidate", "flushall", "the lock's life ends"] {
        assert!(acquires(&counters, "a").await, "{delete}");
        counters
            .publish_commit(Position { seq: 5 }, &exact(8))
            .await;
        match delete {
            "invalidate" => counters.invalidate(&[HOT]).await,
            "flushall" => {
                redis.command(DATABASE, &["FLUSHALL"]);
                trust(&redis);
            }
            _ => {
                redis.command(DATABASE, &["DEL", KEY, &Keys::lock(KEY)]);
            }
        }
        store(&counters, 7, "a").await;
        assert_eq!(held(&counters).await, None, "{delete}");
    }
}

#[tokio::test]
async fn a_comparison_replaces_only_what_it_found() {
    let (redis, counters) = counters().await;
    let position = Position { seq: 10 };
    // Gone: not created again. Loaded anew, or brought by a writer: better than ours.
    for (found, now) in [("6 3 1", ""), ("6 0 1", "8 0 1"), ("6 3 1", "8 4 1")] {
        let wrong = Mismatch {
            counter: HOT,
            exact: 7,
            found: Entry::parse(found.as_bytes()),
        };
        redis.command(DATABASE, &["DEL", KEY]);
        if !now.is_empty() {
            redis.command(DATABASE, &["SET", KEY, now]);
        }
        assert_eq!(counters.replace(position, &[wrong]).await.unwrap(), 0);
        assert_eq!(redis.command(DATABASE, &["GET", KEY]), now);
    }
    // Renewed only: still as wrong.
    redis.command(DATABASE, &["SET", KEY, "6 3 99"]);
    let wrong = Mismatch {
        counter: HOT,
        exact: 7,
        found: Entry::parse(b"6 3 1"),
    };
    assert_eq!(counters.replace(position, &[wrong]).await.unwrap(), 1);
    assert_eq!(held(&counters).await, Some(7));
}
