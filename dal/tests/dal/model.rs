//! Random likes and unlikes by many tasks of two writers, compared with the answers that they got.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use dal::{
    DalError, Db,
    favorites::{FavoriteOp, Favorites},
    fold, reconcile,
};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use testkit::Database;

use crate::fixture;

const TASKS: u64 = 64;
const USERS: i64 = 8;
const VIDEOS: i64 = 5;

/// What the tasks were told of one pair.
#[derive(Default)]
struct Told {
    /// Likes minus unlikes that changed a row.
    balance: i64,
    /// Ops that failed: each may have happened.
    unknown: i64,
}

type Pairs = HashMap<(i64, i64), Told>;

/// Runs all tasks for a while.
async fn run(db: &Db, duration: Duration) -> Pairs {
    let writers = [db.clone(), db.clone()].map(|db| {
        let counters = fixture::without_redis(&db);
        Favorites::start(db, counters)
    });
    let tasks: Vec<_> = (0..TASKS)
        .map(|seed| {
            let favorites = writers[usize::from(seed % 2 == 0)].clone();
            tokio::spawn(one_task(favorites, seed, Instant::now() + duration))
        })
        .collect();
    let mut all = Pairs::new();
    for task in tasks {
        for (pair, told) in task.await.unwrap() {
            let sum = all.entry(pair).or_default();
            sum.balance += told.balance;
            sum.unknown += told.unknown;
        }
    }
    all
}

async fn one_task(favorites: Favorites, seed: u64, end: Instant) -> Pairs {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut pairs = Pairs::new();
    while Instant::now() < end {
        let op = FavoriteOp {
            liked: random.random(),
            ..fixture::like(
                random.random_range(1..=USERS),
                random.random_range(1..=VIDEOS),
            )
        };
        let told = pairs.entry((op.user_id, op.video_id)).or_default();
        match favorites.set(op).await {
            Ok(false) => {}
            Ok(true) => told.balance += if op.liked { 1 } else { -1 },
            Err(DalError::Unavailable(_) | DalError::TimedOut) => told.unknown += 1,
            Err(error) => panic!("{error}"),
        }
    }
    pairs
}

async fn rows(database: &Database) -> HashSet<(i64, i64)> {
    let sql = "SELECT COALESCE(GROUP_CONCAT(CONCAT(user_id, ' ', video_id)), '') FROM favorites";
    let text: String = database.value(sql).await;
    text.split(',')
        .filter_map(|pair| {
            let (user_id, video_id) = pair.split_once(' ')?;
            Some((user_id.parse().unwrap(), video_id.parse().unwrap()))
        })
        .collect()
}

fn sum(pairs: &Pairs) -> i64 {
    pairs.values().map(|told| told.unknown).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everyone_is_told_what_happened_and_every_count_is_that_of_the_rows() {
    let (database, db) = fixture::migrated().await;
    let settings = settings::Counters {
        fold_period_ms: 100,
        scan_period_s: 60,
        fold_workers: 4,
    };
    let folder = fold::Folder::start(db.clone(), fixture::without_redis(&db), &settings);
    let pairs = run(&db, Duration::from_secs(3)).await;
    folder.stop().await;

    assert_eq!(sum(&pairs), 0, "nothing failed");
    let rows = rows(&database).await;
    for (pair, told) in pairs {
        assert_eq!(told.balance, i64::from(rows.contains(&pair)), "{pair:?}");
    }
    assert_eq!(reconcile::differences(&db).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_cut_all_the_time_lose_and_double_nothing() {
    let (database, db) = fixture::migrated().await;
    let settings = settings::Counters {
        fold_period_ms: 100,
        scan_period_s: 60,
        fold_workers: 4,
    };
    let folder = fold::Folder::start(db.clone(), fixture::without_redis(&db), &settings);
    let running = {
        let db = db.clone();
        tokio::spawn(async move { run(&db, Duration::from_secs(4)).await })
    };
    let victims = format!(
        "SELECT COALESCE(GROUP_CONCAT(id), '') FROM information_schema.processlist \
         WHERE db = '{}' AND id <> CONNECTION_ID()",
        database.name()
    );
    let admin = sea_orm::Database::connect(database.primary_url())
        .await
        .unwrap();
    while !running.is_finished() {
        let ids: String = database.value(&victims).await;
        for id in ids.split(',').filter(|id| !id.is_empty()) {
            let kill = format!("KILL {id}");
            let _ = sea_orm::ConnectionTrait::execute_unprepared(&admin, &kill).await;
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    let pairs = running.await.unwrap();
    folder.stop().await;

    println!("{} ops failed", sum(&pairs));
    assert!(sum(&pairs) > 0, "the cuts were felt");
    let rows = rows(&database).await;
    for (pair, told) in pairs {
        let there = i64::from(rows.contains(&pair));
        let off = (told.balance - there).abs();
        assert!(
            off <= told.unknown,
            "{pair:?}: {} told, {there} there",
            told.balance
        );
    }
    assert_eq!(reconcile::differences(&db).await.unwrap(), []);
}
