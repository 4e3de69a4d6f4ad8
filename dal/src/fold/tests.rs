//! Tests that a fold, a count and a comparison read what is new and nothing else, and that no row is added up twice.

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, IsolationLevel, Statement, TransactionTrait,
};

use super::{compare::due, fold_ledger, low_water_mark, rows};
use crate::{
    Db,
    counts::{self, Counter},
    plans::{self, assert_range},
};

const HOT: Counter = Counter::VideoFavorites(1);
/// Longer than a write lives, in ms.
const LATER: i64 = 60_000;

async fn migrated() -> (testkit::Database, Db) {
    let database = testkit::Database::create().await;
    let mysql = plans::mysql(&database);
    crate::migrate(&mysql).await.unwrap();
    let db = Db::connect(&mysql).unwrap();
    (database, db)
}

/// Appends `rows` likes of one video by different users, from this one on.
fn likes(first_user: i64, rows: i64) -> String {
    let values: Vec<String> = (first_user..first_user + rows)
        .map(|user| format!("(1, 1, 1, @generation), (4, {user}, 1, @generation)"))
        .collect();
    let values = values.join(", ");
    format!(
        "SET @generation = (SELECT generation FROM folder WHERE id = 1); \
         INSERT INTO ledger (kind, target_id, delta, generation) VALUES {values}"
    )
}

/// Pages that the engine touches for a query: also those of rows that it passes over.
async fn pages(connection: &DatabaseConnection, query: Statement) -> u64 {
    match testkit::Engine::of_tests() {
        testkit::Engine::MariaDb => pages_of_plan(connection, query).await,
        testkit::Engine::MySql(_) => pages_of_server(connection, query).await,
    }
}

/// MySQL counts the pages of the whole server: of several runs of the query the one with the least of what others did.
async fn pages_of_server(connection: &DatabaseConnection, query: Statement) -> u64 {
    let count = async || {
        let sql = "SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_read_requests'";
        let statement = Statement::from_string(DbBackend::MySql, sql);
        let row = connection.query_one_raw(statement).await.unwrap().unwrap();
        let value: String = row.try_get("", "Value").unwrap();
        value.parse::<u64>().unwrap()
    };
    let mut least = u64::MAX;
    for _ in 0..5 {
        let before = count().await;
        connection.query_all_raw(query.clone()).await.unwrap();
        least = least.min(count().await - before);
    }
    least
}

/// MariaDB tells with the plan.
async fn pages_of_plan(connection: &DatabaseConnection, query: Statement) -> u64 {
    let analyze = Statement {
        sql: format!("ANALYZE FORMAT=JSON {}", query.sql),
        ..query
    };
    let row = connection.query_one_raw(analyze).await.unwrap().unwrap();
    let analysis: String = row.try_get("", "ANALYZE").unwrap();
    let counts = analysis.split("\"pages_accessed\":").skip(1);
    let pages = counts.map(|rest| {
        let digits: String = rest
            .trim_start()
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        digits.parse::<u64>().unwrap()
    });
    pages.sum()
}

/// On a server of its own: a transaction of somebody else would make the engine look closer at every row.
#[tokio::test]
async fn what_is_folded_costs_no_later_read_anything_though_a_read_view_keeps_it() {
    const ROUNDS: i64 = 24;
    /// Of the three reads, that of an exact count.
    const COUNT: usize = 1;
    let engine = testkit::Engine::of_tests();
    let server = testkit::PlainDatabase::start().await;
    let mysql = plans::mysql_at(&server.url());
    crate::migrate(&mysql).await.unwrap();
    let db = Db::connect(&mysql).unwrap();
    let other = sea_orm::Database::connect(server.url()).await.unwrap();
    // Reads pages of its own in the background whenever many rows have changed.
    let no_statistics = "SET GLOBAL innodb_stats_auto_recalc = OFF";
    other.execute_unprepared(no_statistics).await.unwrap();
    let view = other.begin_with_config(Some(IsolationLevel::RepeatableRead), None);
    let view = view.await.unwrap();
    let seen = "SELECT COUNT(*) AS seen FROM ledger";
    let seen = Statement::from_string(DbBackend::MySql, seen);
    view.query_all_raw(seen).await.unwrap();

    let session = db.own_connection();
    let (mut first, mut last) = ([0; 3], [0; 3]);
    for round in 0..ROUNDS {
        let appended = likes(round * 1000, 1000);
        other.execute_unprepared(&appended).await.unwrap();
        let mark = low_water_mark::read(&session).await.unwrap().low;
        last = [
            pages(&session, rows::newest_after(mark, rows::BATCH)).await,
            pages(&session, counts::parts(&[HOT], "")).await,
            pages(&session, due((round + 1, i8::MIN, 0), i64::MAX)).await,
        ];
        // By then mark and generation follow.
        if round == 5 {
            first = last;
        }
        assert_eq!(fold_ledger(&db, 1).await.unwrap(), Some(2000));
        let next = format!(
            "UPDATE folder SET compare_round = compare_round + 1, marked_ms = marked_ms - {LATER}"
        );
        other.execute_unprepared(&next).await.unwrap();
    }
    // Where one counter has half of the ledger, as here, MySQL prefers the whole index for its count: dal/README.md.
    let is_judged = |read: usize| read != COUNT || matches!(engine, testkit::Engine::MariaDb);
    for (n, (first, last)) in first.into_iter().zip(last).enumerate() {
        if !is_judged(n) {
            continue;
        }
        assert!(
            last <= first + first / 4 + 2,
            "read {n}: {first} pages, later {last}"
        );
    }
    // The view does keep them: who begins at the first row passes all.
    let all = "SELECT SUM(delta) FROM ledger FORCE INDEX (ledger_target) WHERE kind = 1 AND target_id = 1";
    let from_the_first = [
        rows::newest_after(0, rows::BATCH),
        Statement::from_string(DbBackend::MySql, all),
    ];
    for (n, (query, from_the_mark)) in from_the_first.into_iter().zip(last).enumerate() {
        if !is_judged(n) {
            continue;
        }
        let from_the_first = pages(&session, query).await;
        // MySQL's count includes what every statement costs.
        let least = match engine {
            testkit::Engine::MariaDb => 2 * from_the_mark,
            testkit::Engine::MySql(_) => from_the_mark + from_the_mark / 10,
        };
        assert!(
            from_the_first > least,
            "{from_the_first} pages from the first row, {from_the_mark} from the mark"
        );
    }
    let values = counts::exact(&db, &[HOT]).await.unwrap();
    assert_eq!(values[&HOT], ROUNDS * 1000);
    drop(view);
}

#[tokio::test]
async fn rows_that_another_folder_has_added_up_are_not_added_again() {
    let (database, db) = migrated().await;
    database.execute(&likes(1, 10)).await;
    let connection = db.own_connection();
    let late = connection.begin().await.unwrap();
    let read = rows::newest_rows(&late, 0, rows::BATCH).await.unwrap();
    // It was paused here, and its lock was lost.
    database
        .execute("DELETE FROM ledger WHERE kind = 4 AND target_id = 5")
        .await;
    let refused = rows::add_up(&late, &read).await.unwrap_err().to_string();
    assert!(refused.contains("another folder"), "{refused}");
    late.rollback().await.unwrap();
    assert_eq!(fold_ledger(&db, 1).await.unwrap(), Some(19));
    assert_eq!(counts::exact(&db, &[HOT]).await.unwrap()[&HOT], 10);
    assert_eq!(
        database
            .value::<i64>("SELECT value FROM counters WHERE kind = 1")
            .await,
        10
    );
}

#[tokio::test]
async fn the_folders_queries_are_index_ranges() {
    let (_database, db) = plans::filled().await;
    assert_range(&db, rows::newest_after(1000, 100), 102).await;
    assert_range(&db, due((2000, 1, 0), 2301), 310).await;
}
