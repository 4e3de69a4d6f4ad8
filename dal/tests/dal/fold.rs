//! The folder: nothing is lost or added twice, whatever happens to it.

use std::time::Duration;

use dal::{
    Db, Lock,
    counts::{self, Counter},
    fold::{Folded, Folder, compare_once, fold_ledger, fold_once},
};
use sea_orm::{ConnectionTrait, TransactionTrait};
use testkit::Database;

use crate::fixture;

const PATIENCE: Duration = Duration::from_secs(10);

/// `rows` deltas of 1 for each of the counters of the videos 1 to `videos`.
async fn append(database: &Database, videos: i64, rows: i64) {
    let values: Vec<String> = (0..rows * videos)
        .map(|n| format!("(1, {}, 1)", n % videos + 1))
        .collect();
    for values in values.chunks(5000) {
        let sql = format!(
            "INSERT INTO ledger (kind, target_id, delta) VALUES {}",
            values.join(", ")
        );
        database.execute(&sql).await;
    }
}

async fn exact(db: &Db, videos: i64) -> Vec<i64> {
    let counters: Vec<Counter> = (1..=videos).map(Counter::VideoFavorites).collect();
    let exact = counts::exact(db, &counters).await.unwrap();
    counters.iter().map(|counter| exact[counter]).collect()
}

async fn open(database: &Database) -> i64 {
    database.value("SELECT COUNT(*) FROM ledger").await
}

#[tokio::test]
async fn a_fold_moves_the_whole_ledger_into_the_counters() {
    let (database, db) = fixture::migrated().await;
    append(&database, 3, 1100).await;
    database
        .execute("INSERT INTO ledger (kind, target_id, delta) VALUES (1, 1, -1100), (5, 9, 2), (5, 9, -2)")
        .await;
    let round = async || {
        let folded = fold_once(&db, &fixture::without_redis(&db)).await;
        folded.unwrap().unwrap()
    };
    assert_eq!(round().await.rows, 3303);
    assert_eq!(open(&database).await, 0);
    assert_eq!(exact(&db, 3).await, [0, 1100, 1100]);
    // Redis was away: all of them wait for being compared, also the one that came to nothing.
    let dirty =
        "SELECT COUNT(*) FROM counters WHERE compare_round >= (SELECT compare_from FROM folder)";
    assert_eq!(database.value::<i64>(dirty).await, 4);
    let nothing = Folded {
        redis_away: true,
        ..Folded::default()
    };
    assert_eq!(round().await, nothing);
}

#[tokio::test]
async fn a_count_is_exact_at_any_moment_of_a_fold() {
    let (database, db) = fixture::migrated().await;
    append(&database, 4, 5000).await;
    let folding = {
        let db = db.clone();
        tokio::spawn(async move { fold_once(&db, &fixture::without_redis(&db)).await })
    };
    let mut reads = 0;
    while !folding.is_finished() {
        assert_eq!(exact(&db, 4).await, [5000; 4]);
        reads += 1;
    }
    folding.await.unwrap().unwrap();
    println!("{reads} reads during the fold");
    assert_eq!(
        (exact(&db, 4).await, open(&database).await),
        (vec![5000; 4], 0)
    );
}

#[tokio::test]
async fn of_many_folders_one_works_at_a_time() {
    let (database, db) = fixture::migrated().await;
    append(&database, 10, 1000).await;
    let folders: Vec<_> = (0..8)
        .map(|_| {
            let db = db.clone();
            tokio::spawn(async move { fold_once(&db, &fixture::without_redis(&db)).await })
        })
        .collect();
    let mut rows = 0;
    for folder in folders {
        rows += folder
            .await
            .unwrap()
            .unwrap()
            .map_or(0, |folded| folded.rows);
    }
    assert_eq!((rows, open(&database).await), (10_000, 0));
    assert_eq!(exact(&db, 10).await, [1000; 10]);
}

#[tokio::test]
async fn a_folder_that_is_cut_off_in_mid_fold_neither_loses_nor_doubles() {
    let (database, db) = fixture::migrated().await;
    let counters = fixture::without_redis(&db);
    append(&database, 3, 10).await;
    fold_once(&db, &counters).await.unwrap();
    append(&database, 3, 10).await;
    // Somebody holds a counter, so that the folder stands still between what it has read and what it deletes.
    let other = sea_orm::Database::connect(database.primary_url())
        .await
        .unwrap();
    let holder = other.begin().await.unwrap();
    holder
        .execute_unprepared("UPDATE counters SET value = value WHERE target_id = 2")
        .await
        .unwrap();
    let folding = {
        let (db, counters) = (db.clone(), counters.clone());
        tokio::spawn(async move { fold_once(&db, &counters).await })
    };
    let standing = format!(
        "SELECT CAST(id AS SIGNED) AS id FROM information_schema.processlist \
         WHERE db = '{}' AND info LIKE 'INSERT INTO counters%' LIMIT 1",
        database.name()
    );
    let connection = testkit::eventually(PATIENCE, "the folder in mid-fold", async || {
        let rows = other
            .query_all_raw(sea_orm::Statement::from_string(
                sea_orm::DbBackend::MySql,
                standing.as_str(),
            ))
            .await
            .unwrap();
        rows.first()
            .map(|row| row.try_get::<i64>("", "id").unwrap())
    })
    .await;
    // As long as it is there, nobody else folds.
    assert_eq!(fold_once(&db, &counters).await.unwrap(), None);
    database.execute(&format!("KILL {connection}")).await;
    folding.await.unwrap().unwrap_err();
    holder.rollback().await.unwrap();
    assert_eq!(
        (exact(&db, 3).await, open(&database).await),
        (vec![20; 3], 30)
    );

    let folded = testkit::eventually(PATIENCE, "the lock free", async || {
        fold_once(&db, &counters).await.unwrap()
    })
    .await;
    assert_eq!(folded.rows, 30);
    assert_eq!(
        (exact(&db, 3).await, open(&database).await),
        (vec![20; 3], 0)
    );
}

#[tokio::test]
async fn the_lock_does_not_outlive_a_folder_that_is_dropped() {
    let (database, db) = fixture::migrated().await;
    let counters = fixture::without_redis(&db);
    append(&database, 3, 3000).await;
    for ms in [1, 3, 5, 10, 20] {
        let round = fold_once(&db, &counters);
        let _ = tokio::time::timeout(Duration::from_millis(ms), round).await;
    }
    testkit::eventually(PATIENCE, "a round that works", async || {
        fold_once(&db, &counters).await.unwrap()
    })
    .await;
    assert_eq!(
        (exact(&db, 3).await, open(&database).await),
        (vec![3000; 3], 0)
    );
}

#[tokio::test]
async fn a_folder_folds_each_period_until_it_is_stopped() {
    let (database, db) = fixture::migrated().await;
    let settings = settings::Counters {
        fold_period_ms: 100,
        scan_period_s: 60,
        fold_workers: 4,
    };
    let folder = Folder::start(db.clone(), fixture::without_redis(&db), &settings);
    for _ in 0..3 {
        append(&database, 2, 10).await;
        testkit::eventually(PATIENCE, "the ledger folded", async || {
            (open(&database).await == 0).then_some(())
        })
        .await;
    }
    folder.stop().await;
    append(&database, 2, 10).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(
        (exact(&db, 2).await, open(&database).await),
        (vec![40; 2], 20)
    );
}

/// As if the lifetime of a write had passed since the folder last took an id.
async fn let_time_pass(database: &Database) {
    let sql = "UPDATE folder SET marked_ms = marked_ms - 60000";
    database.execute(sql).await;
}

async fn mark(database: &Database) -> i64 {
    database.value("SELECT low_water_mark FROM folder").await
}

// A second thread rolls back what is open if this fails.
#[tokio::test(flavor = "multi_thread")]
async fn a_low_id_that_stays_open_over_three_folds_is_folded_afterwards() {
    let (database, db) = fixture::migrated().await;
    let counters = fixture::without_redis(&db);
    append(&database, 1, 1).await;
    let other = sea_orm::Database::connect(database.primary_url())
        .await
        .unwrap();
    let open_for_long = other.begin().await.unwrap();
    let low = "INSERT INTO ledger (kind, target_id, delta) VALUES (1, 1, 100)";
    open_for_long.execute_unprepared(low).await.unwrap();
    for round in 1..=3 {
        append(&database, 1, 10).await;
        let folded = fold_once(&db, &counters).await.unwrap().unwrap();
        assert_eq!(folded.rows, if round == 1 { 11 } else { 10 });
        assert_eq!(exact(&db, 1).await, [10 * round + 1]);
        let_time_pass(&database).await;
    }
    open_for_long.commit().await.unwrap();
    let id: i64 = database.value("SELECT id FROM ledger").await;
    assert!(mark(&database).await < id, "the mark passed an open row");
    assert_eq!(exact(&db, 1).await, [131]);
    assert_eq!(fold_once(&db, &counters).await.unwrap().unwrap().rows, 1);
    assert_eq!((exact(&db, 1).await, open(&database).await), (vec![131], 0));
    // Nothing is open any more, so the mark follows.
    for _ in 0..2 {
        let_time_pass(&database).await;
        fold_once(&db, &counters).await.unwrap();
    }
    assert!(mark(&database).await > id);
}

#[tokio::test]
async fn the_mark_moves_only_when_a_write_that_took_a_lower_id_must_have_ended() {
    let (database, db) = fixture::migrated().await;
    let counters = fixture::without_redis(&db);
    append(&database, 1, 10).await;
    fold_once(&db, &counters).await.unwrap();
    // Ids that were taken before the fold, and whose rows come only now.
    for id in [3, 4] {
        fold_once(&db, &counters).await.unwrap();
        let late =
            format!("INSERT INTO ledger (id, kind, target_id, delta) VALUES ({id}, 1, 1, 1)");
        database.execute(&late).await;
        assert_eq!(exact(&db, 1).await, [10 + id - 2]);
        assert_eq!(fold_once(&db, &counters).await.unwrap().unwrap().rows, 1);
    }
    assert_eq!(mark(&database).await, 0);
    let_time_pass(&database).await;
    fold_once(&db, &counters).await.unwrap();
    assert!(mark(&database).await >= 10);
    assert_eq!(exact(&db, 1).await, [12]);
}

#[tokio::test]
async fn ids_that_begin_anew_are_folded_all_the_same() {
    let (database, db) = fixture::migrated().await;
    let counters = fixture::without_redis(&db);
    append(&database, 1, 50).await;
    for _ in 0..2 {
        let_time_pass(&database).await;
        fold_once(&db, &counters).await.unwrap();
    }
    assert!(mark(&database).await >= 50);
    database.execute("TRUNCATE ledger").await;
    append(&database, 1, 5).await;
    // A round finds out, the next one folds.
    for _ in 0..2 {
        let_time_pass(&database).await;
        fold_once(&db, &counters).await.unwrap();
    }
    assert_eq!((exact(&db, 1).await, open(&database).await), (vec![55], 0));
}

#[tokio::test]
async fn a_long_backlog_is_folded_by_several_at_once() {
    let (database, db) = fixture::migrated().await;
    append(&database, 100, 10).await;
    append(&database, 200, 40).await;
    // Those of the first transaction don't have it.
    let held = "SELECT value FROM counters WHERE kind = 1 AND target_id = 200 FOR UPDATE";
    database
        .execute("INSERT INTO counters (kind, target_id, value) VALUES (1, 200, 0)")
        .await;
    let held = database.hold(held).await;
    let folding = {
        let db = db.clone();
        tokio::spawn(async move { fold_ledger(&db, 4).await })
    };
    // One of them stands still; the others have gone on.
    testkit::eventually(PATIENCE, "others' rows folded", async || {
        (open(&database).await < 9000 - 1500).then_some(())
    })
    .await;
    let expected: Vec<i64> = (1..=200).map(|n| if n <= 100 { 50 } else { 40 }).collect();
    assert_eq!(exact(&db, 200).await, expected);
    drop(held);
    match folding.await.unwrap() {
        Ok(rows) => assert_eq!(rows, Some(9000)),
        // It waited for longer than a lock is waited for.
        Err(error) => {
            println!("{error}");
            fold_ledger(&db, 4).await.unwrap().unwrap();
        }
    }
    assert_eq!(
        (exact(&db, 200).await, open(&database).await),
        (expected, 0)
    );
}

#[tokio::test]
async fn folds_go_on_while_a_comparison_takes_its_time() {
    let (database, db) = fixture::migrated().await;
    let counters = fixture::without_redis(&db);
    append(&database, 3, 10).await;
    let comparing = Lock::take(&db, "compare").await.unwrap().unwrap();
    let folded = fold_once(&db, &counters).await.unwrap().unwrap();
    assert_eq!((folded.rows, folded.compared), (30, 0));
    assert_eq!(open(&database).await, 0);
    assert_eq!(compare_once(&db, &counters).await.unwrap(), None);
    comparing.release().await;
    assert!(compare_once(&db, &counters).await.unwrap().is_some());
}
