//! The migrations: run twice, at once, and on a database with rows; and SQL that MySQL and MariaDB both accept.

use std::path::Path;

use settings::Mysql;
use testkit::Database;

use crate::fixture;

/// The steps that were missing.
async fn applied(mysql: &Mysql) -> Vec<String> {
    dal::migrate(mysql).await.unwrap().applied
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    let database = Database::create().await;
    let mysql = fixture::mysql(database.primary_url(), &[]);
    assert!(!applied(&mysql).await.is_empty());
    assert!(applied(&mysql).await.is_empty());
}

#[tokio::test]
async fn the_schema_of_a_newer_release_is_up_to_date_for_an_older_one() {
    let database = Database::create().await;
    let mysql = fixture::mysql(database.primary_url(), &[]);
    dal::migrate(&mysql).await.unwrap();
    let later = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m9999_later', 0)";
    database.execute(later).await;
    let migrated = dal::migrate(&mysql).await.unwrap();
    assert!(migrated.applied.is_empty(), "{migrated:?}");
    assert_eq!(migrated.newer, ["m9999_later"]);
    // What is missing may need what the other release has removed.
    database
        .execute("DELETE FROM seaql_migrations WHERE version = 'm0011_deletions'")
        .await;
    let error = dal::migrate(&mysql).await.unwrap_err().to_string();
    assert!(error.contains("m9999_later"), "{error}");
}

#[tokio::test]
async fn several_may_migrate_at_once_and_one_does_it() {
    let database = Database::create().await;
    let mysql = fixture::mysql(database.primary_url(), &[]);
    let migrate = |mysql: Mysql| tokio::spawn(async move { dal::migrate(&mysql).await });
    let runs: Vec<_> = (0..4).map(|_| migrate(mysql.clone())).collect();
    let mut worked = 0;
    for run in runs {
        worked += usize::from(!run.await.unwrap().unwrap().applied.is_empty());
    }
    assert_eq!(worked, 1);
}

#[tokio::test]
async fn a_migration_killed_half_way_is_finished_by_the_next() {
    let database = Database::create().await;
    let mysql = fixture::mysql(database.primary_url(), &[]);
    dal::migrate(&mysql).await.unwrap();
    // As if the last steps had made some of their tables and keys and not been noted.
    for undo in [
        "DELETE FROM seaql_migrations WHERE version > 'm0003'",
        "DROP TABLE folder, ledger, bucket",
        "ALTER TABLE videos DROP KEY videos_works",
        "DROP TABLE favorite_tombstones, moderations",
        "ALTER TABLE comments DROP KEY comments_user",
        "ALTER TABLE uploads DROP COLUMN video_id",
    ] {
        database.execute(undo).await;
    }
    assert_eq!(
        applied(&mysql).await,
        [
            "m0003_favorites_comments_counters",
            "m0004_places",
            "m0005_reaper",
            "m0006_writers",
            "m0007_low_water_mark",
            "m0008_processing",
            "m0009_follows",
            "m0010_messages",
            "m0011_deletions",
            "m0012_replaced_uploads"
        ]
    );
    assert_eq!(
        database.value::<i64>("SELECT COUNT(*) FROM folder").await,
        1
    );
    assert!(applied(&mysql).await.is_empty());
}

#[tokio::test]
async fn likes_of_one_moment_get_places_of_their_own_in_the_order_that_they_had() {
    let database = Database::create().await;
    let mysql = fixture::mysql(database.primary_url(), &[]);
    dal::migrate(&mysql).await.unwrap();
    for before in [
        "DELETE FROM seaql_migrations WHERE version = 'm0004_places'",
        "ALTER TABLE favorites DROP KEY favorites_place",
        // Moved apart, the second and the third of the first user meet the next like.
        "INSERT INTO favorites (user_id, video_id, author_id, liked_us, batch) VALUES \
         (1, 1, 1, 5, 0), (1, 2, 1, 5, 0), (1, 3, 1, 5, 0), (1, 4, 1, 4, 0), (1, 5, 1, 6, 0), (2, 1, 1, 5, 0), (2, 2, 1, 5, 0)",
    ] {
        database.execute(before).await;
    }
    assert_eq!(applied(&mysql).await, ["m0004_places"]);
    let ties = "SELECT COUNT(*) - COUNT(DISTINCT user_id, liked_us) FROM favorites";
    assert_eq!(database.value::<i64>(ties).await, 0);
    let places: Vec<i64> = database
        .column("SELECT video_id FROM favorites WHERE user_id = 1 ORDER BY liked_us")
        .await;
    assert_eq!((places.len(), &places[..2]), (5, &[4, 1][..]));
    let other: Vec<i64> = database
        .column("SELECT video_id FROM favorites WHERE user_id = 2 ORDER BY liked_us")
        .await;
    assert_eq!(other, [1, 2]);
    assert!(applied(&mysql).await.is_empty());
}

#[tokio::test]
async fn no_table_refers_to_another() {
    let (database, _) = fixture::migrated().await;
    let keys = "SELECT COUNT(*) FROM information_schema.referential_constraints WHERE constraint_schema = DATABASE()";
    assert_eq!(database.value::<i64>(keys).await, 0);
}

/// What only one of MySQL 8 and MariaDB accepts, or what means something else in the other.
const BANNED: &[&str] = &[
    "RETURNING",
    "AS NEW ",
    "FOR SHARE",
    "->>",
    "0900",
    "TX_ISOLATION",
    "@@TRANSACTION_ISOLATION",
    "COLUMN IF NOT EXISTS",
    "AS JSON",
    "UUID_TO_BIN",
    "BIN_TO_UUID",
    "MAX_STATEMENT_TIME",
    "MAX_EXECUTION_TIME",
    "SHOW SLAVE",
    "SHOW MASTER",
    "NEXTVAL",
    "CREATE SEQUENCE",
    "||",
    "MD5(",
    "SHA1(",
];

/// What a server without the newer words is asked next.
const FALLBACKS: &[&str] = &["SHOW SLAVE STATUS"];

#[test]
fn the_sql_is_what_mysql_8_and_mariadb_both_accept() {
    let mut found = Vec::new();
    scan(
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")),
        &mut found,
    );
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// String literals of every source file; comments and code are Rust's affair.
fn scan(directory: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            scan(&path, found);
            continue;
        }
        let source = std::fs::read_to_string(&path).unwrap();
        for literal in string_literals(&source) {
            let text = literal
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
                .to_uppercase()
                + " ";
            for word in BANNED {
                if text.contains(word) && !FALLBACKS.contains(&text.trim()) {
                    found.push(format!("{}: {word} in {literal:?}", path.display()));
                }
            }
        }
    }
}

fn string_literals(source: &str) -> Vec<String> {
    let code: String = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .map(|line| format!("{line}\n"))
        .collect();
    code.split('"')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

#[test]
fn the_scan_sees_strings_and_not_comments() {
    let source = "// \"RETURNING\"\nlet sql = \"SELECT 1\n FROM t\"; let x = \"y\";";
    assert_eq!(string_literals(source), ["SELECT 1\n FROM t", "y"]);
}

#[tokio::test]
async fn videos_of_before_are_queued_behind_all_others_and_stay_as_they_are() {
    let (database, db) = fixture::migrated().await;
    for n in 0..3 {
        fixture::publish(&db, 1 + n % 2, &format!("k{n}")).await;
    }
    // As the version before left them.
    let mysql = fixture::mysql(database.primary_url(), &[]);
    for before in [
        "UPDATE videos SET created_ms = 0",
        "DELETE FROM seaql_migrations WHERE version = 'm0008_processing'",
    ] {
        database.execute(before).await;
    }
    assert_eq!(applied(&mysql).await, ["m0008_processing"]);
    let jobs = "SELECT video_id FROM jobs ORDER BY state, turn, id";
    let jobs: Vec<i64> = database.column(jobs).await;
    assert_eq!(jobs.len(), 3);
    assert_eq!(
        jobs.last(),
        Some(&1),
        "the older of one author's comes last"
    );
    let visible = "SELECT COUNT(*) FROM videos WHERE state = 0 AND published_ms IS NOT NULL";
    assert_eq!(database.value::<i64>(visible).await, 3);
}
