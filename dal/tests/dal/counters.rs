//! Counters in Redis: reads with a warm and a cold cache, late messages, and repair of wrong counts.

use std::collections::HashMap;

use dal::{
    counters::{Counters, Pass, Stats},
    counts::{
        self,
        Counter::{self, UserFavorites, VideoComments, VideoFavorites},
    },
    position::Position,
};
use testkit::eventually;

use crate::{
    fixture,
    stage::{EPOCH, HOT, KEY, PATIENCE, Stage, answers, connected, run_id},
};

fn since(counters: &Counters, before: Stats) -> Stats {
    let now = counters.stats();
    Stats {
        hits: now.hits - before.hits,
        loads: now.loads - before.loads,
        exact_reads: now.exact_reads - before.exact_reads,
        renewals: now.renewals - before.renewals,
        repaired: now.repaired - before.repaired,
        invalidated: now.invalidated - before.invalidated,
        round_trips: now.round_trips - before.round_trips,
    }
}

fn at(seq: u64) -> Position {
    Position { seq }
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_first_reads_of_two_instances_are_one_load() {
    let stage = Stage::set(2000).await;
    stage.count(HOT, 7).await;
    let other = connected(&stage.settings, &stage.db).await;
    for round in 0..5 {
        stage.favorites(&["DEL", KEY]);
        let before = (stage.counters.stats(), other.stats());
        let readers: Vec<_> = (0..64)
            .map(|n| {
                let counters = if n % 2 == 0 { &stage.counters } else { &other }.clone();
                tokio::spawn(async move { counters.read(&[HOT]).await.unwrap()[&HOT] })
            })
            .collect();
        for reader in readers {
            assert_eq!(reader.await.unwrap(), 7);
        }
        let (a, b) = (since(&stage.counters, before.0), since(&other, before.1));
        assert_eq!(a.loads + b.loads, 1, "round {round}: {a:?} {b:?}");
        assert_eq!(a.hits + b.hits, 63, "round {round}: {a:?} {b:?}");
        assert_eq!(a.exact_reads + b.exact_reads, 0, "{a:?} {b:?}");
    }
}

#[tokio::test]
async fn a_page_costs_one_round_trip_a_database_when_warm_and_one_statement_when_cold() {
    let stage = Stage::set(2000).await;
    let page: Vec<Counter> = (1..=30)
        .flat_map(|id| [VideoFavorites(id), VideoComments(id), UserFavorites(id)])
        .collect();
    stage.count(VideoComments(30), 2).await;
    let (cold, spent) = telemetry::cost::scope(stage.counters.read(&page)).await;
    let cold = cold.unwrap();
    assert_eq!((cold.len(), cold[&VideoComments(30)]), (90, 2));
    assert_eq!(spent.sql, 1);

    let before = stage.counters.stats();
    let (warm, spent) = telemetry::cost::scope(stage.counters.read(&page)).await;
    let after = since(&stage.counters, before);
    assert_eq!((warm.unwrap(), spent.sql), (cold, 0));
    assert_eq!((after.round_trips, after.hits), (2, 90));
    // Nothing asked, nothing done.
    assert!(stage.counters.read(&[]).await.unwrap().is_empty());
    assert_eq!(since(&stage.counters, before).round_trips, 2);
}

#[tokio::test]
async fn of_two_commits_the_later_one_wins_in_whatever_order_they_arrive() {
    let stage = Stage::set(2000).await;
    let before = stage.position().await.seq;
    assert!(before < 99_000_000, "the test's positions are later");
    let tell = async |seq: u64, count: i64| {
        let counts = HashMap::from([(HOT, count), (VideoComments(1), count)]);
        stage.counters.publish_commit(at(seq), &counts).await;
        assert_eq!(stage.read(HOT).await, stage.read(VideoComments(1)).await);
        stage.read(HOT).await
    };
    // Absent: created.
    assert_eq!(tell(99_000_020, 5).await, 5);
    // Older, and the same once more.
    assert_eq!(tell(99_000_019, 4).await, 5);
    assert_eq!(tell(99_000_020, 6).await, 5);
    // Ordered as numbers, not as text.
    assert_eq!(tell(100_000_000, 7).await, 7);
    let older = format!("3 {before} 1");
    stage.favorites(&["SET", KEY, &older]);
    stage.comments(&["SET", "t:{v1}:comments", &older]);
    assert_eq!(tell(before + 1, 8).await, 8);
    assert!(stage.favorites(&["TTL", KEY]).parse::<i64>().unwrap() > 500);
}

#[tokio::test]
async fn whatever_is_no_count_is_replaced() {
    let stage = Stage::set(2000).await;
    stage.count(HOT, 7).await;
    for make_wrong in [
        ["SET", KEY, "many"].as_slice(),
        &["SET", KEY, "-3 1 1"],
        &["SET", KEY, "1999999999999999999 1 1"],
        &["SET", KEY, ""],
        &["LPUSH", KEY, "a"],
        // From before the epoch.
        &["SET", KEY, "9 0 1"],
    ] {
        stage.favorites(make_wrong);
        assert_eq!(stage.read(HOT).await, 7, "{make_wrong:?}");
        let loaded = format!("7 {} ", stage.epoch().unwrap());
        assert!(stage.favorites(&["GET", KEY]).starts_with(&loaded));
        stage.favorites(&["DEL", KEY]);
        stage.favorites(make_wrong);
        let counts = HashMap::from([(HOT, 8)]);
        stage.counters.publish_commit(at(1), &counts).await;
        assert!(stage.favorites(&["GET", KEY]).starts_with("8 1 "));
        stage.favorites(&["DEL", KEY]);
    }
}

#[tokio::test]
async fn no_count_is_below_0() {
    let stage = Stage::set(2000).await;
    let position = stage.count(HOT, -3).await;
    assert_eq!(stage.read(HOT).await, 0);
    assert_eq!(stage.read(HOT).await, 0);
    let counts = HashMap::from([(HOT, -3)]);
    stage.counters.publish_commit(position, &counts).await;
    assert_eq!(stage.read(HOT).await, 0);
    assert_eq!(stage.pass().await.repaired, 0);
    stage.redis.kill();
    assert_eq!(stage.read(HOT).await, 0);
}

#[tokio::test]
async fn a_hit_renews_once_per_half_ttl() {
    let mut stage = Stage::set(2000).await;
    stage.settings.counter_ttl_s = 60;
    let counters = connected(&stage.settings, &stage.db).await;
    let before = counters.stats();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.unwrap().as_secs();
    let read = async || {
        let reads = (0..20).map(|_| counters.read(&[HOT]));
        for values in futures::future::join_all(reads).await {
            assert_eq!(values.unwrap()[&HOT], 5);
        }
    };
    let seq = stage.position().await.seq;
    // Just before its half: left alone.
    let young = format!("5 {seq} {}", now - 20);
    stage.favorites(&["SET", KEY, &young, "EX", "40"]);
    read().await;
    assert_eq!(stage.favorites(&["GET", KEY]), young);
    // After it: the expiry is whole again, the count and its position are what they were.
    let old = format!("5 {seq} {}", now - 40);
    stage.favorites(&["SET", KEY, &old, "EX", "20"]);
    read().await;
    eventually(PATIENCE, "the renewal", async || {
        (stage.favorites(&["GET", KEY]) != old).then_some(())
    })
    .await;
    let text = stage.favorites(&["GET", KEY]);
    let renewed = text.strip_prefix(&format!("5 {seq} ")).unwrap();
    let renewed = renewed.parse::<u64>().unwrap();
    assert!(renewed >= now, "{text}");
    assert!(stage.favorites(&["TTL", KEY]).parse::<i64>().unwrap() > 40);
    for _ in 0..5 {
        read().await;
    }
    eventually(PATIENCE, "the renewal counted", async || {
        (since(&counters, before).renewals > 0).then_some(())
    })
    .await;
    assert_eq!(since(&counters, before).renewals, 1);
    assert_eq!(stage.favorites(&["GET", KEY]), text);
}

#[tokio::test]
async fn a_comparison_mends_what_is_wrong_and_leaves_the_rest() {
    let stage = Stage::set(2000).await;
    let [wrong, right, newer, absent] = [1, 2, 3, 4].map(VideoFavorites);
    for counter in [wrong, right, newer, absent] {
        stage.count(counter, 7).await;
    }
    let position = stage.position().await;
    let exact = counts::exact(&stage.db, &[wrong, right, newer, absent, VideoComments(1)]).await;
    let exact = exact.unwrap();
    let later = format!("9 {} 1", position.seq + 1);
    stage.favorites(&["SET", "t:{v1}:favorites", "6 3 1"]);
    stage.favorites(&["SET", "t:{v2}:favorites", "7 3 1"]);
    stage.favorites(&["SET", "t:{v3}:favorites", &later]);
    stage.comments(&["SET", "t:{v1}:comments", "many"]);

    let repaired = stage.counters.compare(position, &exact).await.unwrap();
    assert_eq!(repaired, 2);
    assert_eq!(stage.counters.stats().repaired, 2);
    let begins = |key, text: String| assert!(stage.favorites(&["GET", key]).starts_with(&text));
    begins("t:{v1}:favorites", format!("7 {} ", position.seq));
    begins("t:{v2}:favorites", "7 3 1".to_owned());
    begins("t:{v3}:favorites", later);
    assert_eq!(stage.favorites(&["EXISTS", "t:{v4}:favorites"]), "0");
    assert_eq!(stage.read(VideoComments(1)).await, 0);
    // What a lost message left behind loses against the next one.
    let counts = HashMap::from([(wrong, 8)]);
    stage
        .counters
        .publish_commit(at(position.seq + 1), &counts)
        .await;
    assert_eq!(stage.read(wrong).await, 8);
    assert_eq!(stage.counters.compare(position, &exact).await.unwrap(), 0);
}

#[tokio::test]
async fn a_writer_that_comes_during_a_comparison_is_not_undone() {
    let stage = Stage::set(2000).await;
    let position = stage.count(HOT, 1).await;
    stage.favorites(&["SET", KEY, "0 1 1"]);
    let exact = HashMap::from([(HOT, 1)]);
    // The comparison finds the key old, and gives the writer that knows more a moment.
    let comparison = tokio::spawn({
        let (counters, exact) = (stage.counters.clone(), exact.clone());
        async move { counters.compare(position, &exact).await.unwrap() }
    });
    let newer = HashMap::from([(HOT, 2)]);
    let before = stage.counters.stats().round_trips;
    eventually(PATIENCE, "the comparison's look", async || {
        (stage.counters.stats().round_trips > before).then_some(())
    })
    .await;
    stage
        .counters
        .publish_commit(at(position.seq + 1), &newer)
        .await;
    comparison.await.unwrap();
    assert_eq!(stage.read(HOT).await, 2);
}

#[tokio::test]
async fn a_pass_compares_every_count_and_touches_nothing_else() {
    let stage = Stage::set(2000).await;
    let ids = 1..=1500_i64;
    let rows = |kind: i8| ids.clone().map(move |id| format!("({kind}, {id}, {id})"));
    let all: Vec<String> = rows(1).chain(rows(2)).collect();
    stage
        .database
        .execute(&format!(
            "INSERT INTO counters (kind, target_id, value) VALUES {}",
            all.join(",")
        ))
        .await;
    let page: Vec<Counter> = ids
        .clone()
        .flat_map(|id| [VideoFavorites(id), VideoComments(id)])
        .collect();
    stage.counters.read(&page).await.unwrap();
    assert_eq!(
        stage.pass().await,
        Pass {
            scanned: 3000,
            repaired: 0
        }
    );

    let foreign = [
        "t:{v1}:favorites:lock",
        "t:{v1}:works",
        "t:{v01}:favorites",
        "t:{v1}:comments",
        "{v1}:favorites",
        "u:{v1}:favorites",
    ];
    for key in foreign {
        stage.favorites(&["SET", key, "77 1 1"]);
    }
    for id in (1..=1500).step_by(100) {
        let (likes, comments) = (
            format!("t:{{v{id}}}:favorites"),
            format!("t:{{v{id}}}:comments"),
        );
        stage.favorites(&["SET", &likes, "77 1 1"]);
        stage.comments(&["SET", &comments, "nonsense"]);
    }
    // Of a commit that never was: every writer would be refused.
    stage.favorites(&["SET", "t:{v1500}:favorites", "77 999999999999999 1"]);
    let pass = stage.pass().await;
    assert_eq!(pass.repaired, 31, "{pass:?}");
    let values = stage.counters.read(&page).await.unwrap();
    for id in ids {
        assert_eq!(values[&VideoFavorites(id)], id);
        assert_eq!(values[&VideoComments(id)], id);
    }
    for key in foreign {
        assert_eq!(stage.favorites(&["GET", key]), "77 1 1", "{key}");
    }
    assert_eq!(stage.pass().await.repaired, 0);
}

#[tokio::test]
async fn a_pass_ends_an_epoch_of_a_commit_that_the_database_does_not_have() {
    let stage = Stage::set(2000).await;
    stage.count(HOT, 7).await;
    // As when an older dump was restored, and Redis was not emptied.
    let future = 999_999_999_999_999;
    let epoch = format!("{} 1 {future} 0-1-{future}", run_id(&stage.redis));
    stage.favorites(&["SET", EPOCH, &epoch]);
    assert_eq!(stage.read(HOT).await, 7);
    let loaded = format!("7 {future} ");
    assert!(stage.favorites(&["GET", KEY]).starts_with(&loaded));
    let position = stage.count(HOT, 1).await;
    let counts = HashMap::from([(HOT, 8)]);
    stage.counters.publish_commit(position, &counts).await;
    stage.pass().await;
    assert_eq!(stage.read(HOT).await, 8);
    eventually(PATIENCE, "an epoch of the database", async || {
        stage.epoch().filter(|epoch| *epoch < future)
    })
    .await;
    assert_eq!(stage.read(HOT).await, 8);
}

#[tokio::test]
async fn systems_that_share_a_redis_see_only_their_own() {
    let stage = Stage::set(2000).await;
    let mut settings = stage.settings.clone();
    settings.key_prefix = "tt:".to_owned();
    let (_database, db) = fixture::migrated().await;
    let other = connected(&settings, &db).await;
    stage.count(HOT, 7).await;
    assert_eq!(other.read(&[HOT]).await.unwrap()[&HOT], 0);
    assert_eq!(stage.read(HOT).await, 7);
    let position = stage.position().await;
    assert_eq!(
        other.scan_pass(position).await.unwrap(),
        Pass {
            scanned: 1,
            repaired: 0
        }
    );
    assert_eq!(stage.read(HOT).await, 7);
}

#[tokio::test]
async fn counts_are_right_again_after_flushall_and_after_script_flush() {
    let stage = Stage::set(2000).await;
    stage.count(HOT, 7).await;
    assert_eq!(stage.read(HOT).await, 7);
    // Until an epoch is made, MySQL answers.
    stage.favorites(&["FLUSHALL"]);
    assert_eq!(stage.read(HOT).await, 7);
    answers(&stage.counters).await;
    let position = stage.position().await;
    let before = stage.counters.stats();
    stage.favorites(&["SCRIPT", "FLUSH"]);
    let counts = HashMap::from([(HOT, 8), (VideoFavorites(2), 1), (VideoComments(2), 1)]);
    stage.counters.publish_commit(position, &counts).await;
    assert_eq!(stage.read(HOT).await, 8);
    assert_eq!(since(&stage.counters, before).exact_reads, 0);
}
