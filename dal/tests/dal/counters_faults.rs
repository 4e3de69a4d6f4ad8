//! Counters while Redis is killed, hangs, is emptied or returns with old data: counts stay exact and in time, and Redis is repaired.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use dal::{
    DalError,
    counters::Counters,
    counts::Counter::{VideoComments, VideoFavorites},
    fold::Folder,
};
use testkit::{TcpProxy, eventually};

use crate::{
    fixture,
    stage::{EPOCH, HOT, KEY, PATIENCE, Stage, answers},
};

/// Four times that of production: a read that waits for it takes longer than MySQL does on a busy machine.
const TIMEOUT_MS: u64 = 800;
/// The longest answer when Redis goes away: a time-out or two, and MySQL on a busy machine. 64 reads, each after the other, take 51 s.
const LONGEST: Duration = Duration::from_secs(4);
/// Half of the answers take less: MySQL alone, on a busy machine.
const MEDIAN: Duration = Duration::from_millis(TIMEOUT_MS / 2);
/// Deletions that a process remembers.
const MAX_PENDING: i64 = 65_536;

/// Runs `work` 20 times; hardly any of them may have waited for Redis.
async fn without_waiting(mut work: impl AsyncFnMut()) {
    let mut took = Vec::new();
    for _ in 0..20 {
        let start = Instant::now();
        work().await;
        took.push(start.elapsed());
    }
    took.sort();
    assert!(took[10] < MEDIAN && took[19] < LONGEST, "{took:?}");
}

/// Reads while Redis is away: right, the first within a time-out, the rest without one.
async fn reads_are_exact_and_fast(stage: &Stage, count: i64) {
    without_waiting(async || {
        let both = [HOT, VideoComments(1)];
        let values = stage.counters.read(&both).await.unwrap();
        assert_eq!((values[&HOT], values[&VideoComments(1)]), (count, 0));
    })
    .await;
}

/// Writes while Redis is away, and compares: both give up in time.
async fn writers_and_comparisons_give_up_in_time(stage: &Stage) {
    let position = stage.count(HOT, 1).await;
    let counts = HashMap::from([(HOT, 8), (VideoComments(1), 0)]);
    without_waiting(async || {
        stage.counters.publish_commit(position, &counts).await;
        let compared = stage.counters.compare(position, &counts).await;
        assert!(matches!(compared, Err(DalError::Unavailable(_))));
    })
    .await;
}

#[tokio::test]
async fn redis_killed_costs_at_most_one_time_out_and_comes_back_empty() {
    let stage = Stage::set(TIMEOUT_MS).await;
    stage.count(HOT, 7).await;
    assert_eq!(stage.read(HOT).await, 7);
    stage.redis.kill();
    reads_are_exact_and_fast(&stage, 7).await;
    writers_and_comparisons_give_up_in_time(&stage).await;
    assert_eq!(stage.counters.run_id().await, None);
    stage.redis.restart_empty().await;
    answers(&stage.counters).await;
    eventually(PATIENCE, "hits", async || {
        let before = stage.counters.stats().hits;
        assert_eq!(stage.read(HOT).await, 8);
        (stage.counters.stats().hits > before).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_write_that_redis_missed_is_forgotten_when_it_comes_back_with_its_data() {
    let stage = Stage::set(TIMEOUT_MS).await;
    stage.count(HOT, 7).await;
    assert_eq!(stage.read(HOT).await, 7);
    stage.redis.kill();
    writers_and_comparisons_give_up_in_time(&stage).await;
    stage.redis.restart().await;
    // No pass, no fold: the writer itself owes the deletion, and pays it before it uses Redis again.
    answers_without_forgetting(&stage.counters).await;
    assert_eq!(stage.read(HOT).await, 8);
}

#[tokio::test]
async fn redis_set_back_never_shows_an_old_count_and_a_pass_repairs_what_nobody_reads() {
    let stage = Stage::set(2000).await;
    let unread = VideoFavorites(2);
    for counter in [HOT, unread] {
        stage.count(counter, 7).await;
        assert_eq!(stage.read(counter).await, 7);
    }
    let run_id = stage.counters.run_id().await.unwrap();
    let backup = stage.redis.backup();
    stage.count(HOT, 1).await;
    let position = stage.count(unread, 1).await;
    let counts = HashMap::from([(HOT, 8), (unread, 8)]);
    stage.counters.publish_commit(position, &counts).await;
    assert_eq!(stage.read(HOT).await, 8);
    stage.redis.restart_from(&backup).await;
    let is_old = |key| stage.favorites(&["GET", key]).starts_with("7 ");
    assert!(is_old(KEY), "the test sets Redis back");
    // From its first answer on, while its leases still hold, until it is trusted again.
    let before = stage.counters.stats().hits;
    eventually(PATIENCE, "the count from Redis", async || {
        assert_eq!(stage.read(HOT).await, 8);
        (stage.counters.stats().hits > before).then_some(())
    })
    .await;
    assert_ne!(stage.counters.run_id().await.unwrap(), run_id);
    assert!(is_old("t:{v2}:favorites"));
    assert_eq!(stage.pass().await.repaired, 1);
    assert_eq!(stage.read(unread).await, 8);
}

#[tokio::test]
async fn the_folder_notices_that_redis_runs_anew_and_mends_what_it_brings_back() {
    let stage = Stage::set(2000).await;
    stage.count(HOT, 7).await;
    assert_eq!(stage.read(HOT).await, 7);
    let backup = stage.redis.backup();
    let settings = settings::Counters {
        fold_period_ms: 100,
        scan_period_s: 3600,
        fold_workers: 4,
    };
    let folder = Folder::start(stage.db.clone(), stage.counters.clone(), &settings);
    let position = stage.count(HOT, 1).await;
    let counts = HashMap::from([(HOT, 8)]);
    stage.counters.publish_commit(position, &counts).await;
    // Folded and compared: from now on nothing but a complete pass looks at it.
    eventually(PATIENCE, "the fold", async || {
        let open =
            "SELECT (SELECT COUNT(*) FROM ledger) \
             + (SELECT COUNT(*) FROM counters WHERE compare_round >= (SELECT compare_from FROM folder))";
        (stage.database.value::<i64>(open).await == 0).then_some(())
    })
    .await;
    stage.redis.restart_from(&backup).await;
    eventually(PATIENCE, "the count repaired in Redis", async || {
        stage
            .favorites(&["GET", KEY])
            .starts_with("8 ")
            .then_some(())
    })
    .await;
    folder.stop().await;
}

#[tokio::test]
async fn a_hung_redis_costs_one_time_out_and_is_right_when_it_goes_on() {
    let stage = Stage::set(TIMEOUT_MS).await;
    stage.count(HOT, 7).await;
    assert_eq!(stage.read(HOT).await, 7);
    stage.redis.freeze();
    // Many at once: each waits for its own time-out at most.
    let start = Instant::now();
    let reads = (0..64).map(|_| stage.counters.read(&[HOT]));
    for values in futures::future::join_all(reads).await {
        assert_eq!(values.unwrap()[&HOT], 7);
    }
    assert!(start.elapsed() < LONGEST, "{:?}", start.elapsed());
    reads_are_exact_and_fast(&stage, 7).await;
    writers_and_comparisons_give_up_in_time(&stage).await;
    // Also after fred has given the connection up, and tries others that hang as well.
    let hung = Instant::now();
    while hung.elapsed() < Duration::from_secs(3) {
        reads_are_exact_and_fast(&stage, 8).await;
    }
    stage.redis.thaw();
    answers_without_forgetting(&stage.counters).await;
    assert_eq!(stage.read(HOT).await, 8);
    assert_eq!(stage.counters.run_id().await.map(|id| id.len()), Some(40));
}

#[tokio::test]
async fn a_writer_that_timed_out_leaves_nothing_wrong_behind() {
    let stage = Stage::set(TIMEOUT_MS).await;
    stage.count(HOT, 7).await;
    assert_eq!(stage.read(HOT).await, 7);
    stage.redis.freeze();
    let position = stage.count(HOT, 1).await;
    let start = Instant::now();
    let counts = HashMap::from([(HOT, 8)]);
    stage.counters.publish_commit(position, &counts).await;
    assert!(start.elapsed() < LONGEST, "{:?}", start.elapsed());
    assert_eq!(stage.counters.stats().invalidated, 3, "2 by the stage");
    stage.redis.thaw();
    eventually(PATIENCE, "the key deleted", async || {
        (stage.favorites(&["EXISTS", KEY]) == "0").then_some(())
    })
    .await;
    answers_without_forgetting(&stage.counters).await;
    assert_eq!(stage.read(HOT).await, 8);
}

#[tokio::test]
async fn counters_start_without_redis_and_find_it_later() {
    let stage = Stage::set(TIMEOUT_MS).await;
    stage.count(HOT, 7).await;
    stage.redis.kill();
    let counters = Counters::connect(&stage.settings, stage.db.clone()).unwrap();
    without_waiting(async || {
        assert_eq!(counters.read(&[HOT]).await.unwrap()[&HOT], 7);
    })
    .await;
    stage.redis.restart().await;
    answers(&counters).await;

    let mut settings = stage.settings.clone();
    settings.url = settings::Secret::new("redis://user:a-password@[nonsense");
    let refused = Counters::connect(&settings, stage.db.clone())
        .err()
        .unwrap();
    assert!(!refused.to_string().contains("a-password"), "{refused}");
}

#[tokio::test]
async fn one_that_has_lost_redis_is_no_burden_to_others() {
    // A second instance keeps using Redis while the first has lost its way there; the counts agree.
    let stage = Stage::set(2000).await;
    stage.count(HOT, 7).await;
    assert_eq!(stage.read(HOT).await, 7);
    let mut settings = stage.settings.clone();
    settings.url = settings::Secret::new("redis://127.0.0.1:1");
    let lost = Counters::connect(&settings, stage.db.clone()).unwrap();
    let position = stage.count(HOT, 1).await;
    let counts = HashMap::from([(HOT, 8)]);
    lost.publish_commit(position, &counts).await;
    assert_eq!(lost.read(&[HOT]).await.unwrap()[&HOT], 8);
    // Redis hasn't heard of it: this is what the comparison after the fold is for.
    assert_eq!(stage.read(HOT).await, 7);
    assert_eq!(stage.counters.compare(position, &counts).await.unwrap(), 1);
    assert_eq!(stage.read(HOT).await, 8);
}

#[tokio::test]
async fn a_process_that_owes_more_deletions_than_it_remembers_trusts_no_count_of_before() {
    let stage = Stage::set(2000).await;
    stage.count(HOT, 7).await;
    assert_eq!(stage.read(HOT).await, 7);
    let epoch = stage.favorites(&["GET", EPOCH]);
    let proxy = TcpProxy::to(&stage.redis.url().replace("redis://", "")).await;
    let mut settings = stage.settings.clone();
    settings.url = settings::Secret::new(format!("redis://{}", proxy.address()));
    let dirty = Counters::connect(&settings, stage.db.clone()).unwrap();
    answers_without_forgetting(&dirty).await;
    proxy.shut();
    stage.count(HOT, 1).await;
    let more_than_fit = (2..=MAX_PENDING + 1).map(VideoFavorites).chain([HOT]);
    dirty.invalidate(&more_than_fit.collect::<Vec<_>>()).await;
    proxy.open();
    eventually(PATIENCE, "a hit", async || {
        let before = dirty.stats().hits;
        let read = dirty.read(&[HOT]).await.unwrap();
        assert_eq!(read[&HOT], 8);
        (dirty.stats().hits > before).then_some(())
    })
    .await;
    assert_ne!(stage.favorites(&["GET", EPOCH]), epoch);
}

#[tokio::test]
async fn a_pass_deletes_all_counts_of_commits_that_the_database_does_not_have() {
    let stage = Stage::set(2000).await;
    let future = "for id = 1, ARGV[1] do \
         redis.call('SET', 't:{v' .. id .. '}:favorites', '7 999999999999999 1') end";
    // More than are looked at together.
    stage.favorites(&["EVAL", future, "0", "70000"]);
    stage.pass().await;
    let left = "return #redis.call('KEYS', 't:{v*')";
    assert_eq!(stage.favorites(&["EVAL", left, "0"]), "0");
}

#[tokio::test]
async fn a_full_redis_creates_nothing_and_costs_no_wait() {
    let stage = Stage::set(2000).await;
    stage.count(HOT, 7).await;
    stage.favorites(&["CONFIG", "SET", "maxmemory", "1"]);
    without_waiting(async || assert_eq!(stage.read(HOT).await, 7)).await;
    assert_eq!(stage.favorites(&["EXISTS", KEY]), "0");
    stage.favorites(&["CONFIG", "SET", "maxmemory", "0"]);
    eventually(PATIENCE, "the count in Redis", async || {
        assert_eq!(stage.read(HOT).await, 7);
        let loaded = format!("7 {} ", stage.epoch()?);
        let text = stage.favorites(&["GET", KEY]);
        text.starts_with(&loaded).then_some(())
    })
    .await;
}

#[tokio::test]
async fn without_mysql_cold_reads_fail_and_free_the_lock() {
    let stage = Stage::set(2000).await;
    stage.count(HOT, 7).await;
    let dead = dal::Db::connect(&fixture::mysql(
        "mysql://nobody:nothing@127.0.0.1:1/none",
        &[],
    ));
    let broken = connected_to(&stage, dead.unwrap()).await;
    let read = broken.read(&[HOT]).await;
    assert!(matches!(read, Err(DalError::Unavailable(_))), "{read:?}");
    // The next loader needn't wait.
    let before = stage.counters.stats().loads;
    assert_eq!(stage.read(HOT).await, 7);
    assert_eq!(stage.counters.stats().loads, before + 1);
    // And what is warm is read without MySQL.
    assert_eq!(broken.read(&[HOT]).await.unwrap()[&HOT], 7);
}

async fn connected_to(stage: &Stage, db: dal::Db) -> Counters {
    let counters = Counters::connect(&stage.settings, db).unwrap();
    eventually(PATIENCE, "Redis", async || counters.run_id().await).await;
    counters
}

/// As [`answers`], but whatever Redis holds of the hot counter stays.
async fn answers_without_forgetting(counters: &Counters) {
    eventually(PATIENCE, "counters that use Redis", async || {
        let before = counters.stats().exact_reads;
        let other = [VideoFavorites(99), VideoComments(99)];
        counters.read(&other).await.ok()?;
        (counters.stats().exact_reads == before).then_some(())
    })
    .await;
}
