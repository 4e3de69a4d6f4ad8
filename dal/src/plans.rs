//! Tests that every query reads one index range: by the optimizer's plan, and by the rows that the engine reads.

mod social;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, PartialModelTrait, QuerySelect,
    QueryTrait, Select, Statement,
};

use crate::{
    comments,
    counts::{self, Counter},
    entity::{upload, video},
    favorites,
    id_list::padded,
    idempotency,
    jobs::claim,
    reaper, uploads, users, videos,
};

const VIDEOS: i64 = 5000;
const AUTHORS: i64 = 50;
/// Who like and comment; each as much.
const USERS: i64 = 50;
/// `published_ms` of the first video; each next one is a millisecond later.
const EPOCH: i64 = 1_700_000_000_000;
const PAGE: u64 = 30;

/// One connection to this database.
pub(crate) fn mysql(database: &testkit::Database) -> settings::Mysql {
    mysql_at(database.primary_url())
}

/// One connection to the database at this address.
pub(crate) fn mysql_at(url: &str) -> settings::Mysql {
    settings::Mysql {
        primary_url: settings::Secret::new(url),
        replica_urls: Vec::new(),
        migrate_url: settings::Secret::new(""),
        max_connections: 1,
        max_fallback_connections: 1,
        acquire_timeout_ms: 5000,
        reads_after_writes: settings::ReadsAfterWrites::Gtid,
        max_lag_s: 30,
        replica_wait_ms: 50,
    }
}

/// A migrated database with users, videos and uploads, and one connection to it.
pub(crate) async fn filled() -> (testkit::Database, DatabaseConnection) {
    let database = testkit::Database::create().await;
    let mysql = mysql(&database);
    crate::migrate(&mysql).await.unwrap();
    let rows = |row: &dyn Fn(i64) -> String| (1..=VIDEOS).map(row).collect::<Vec<_>>().join(",");
    for insert in [
        format!(
            "INSERT INTO users (name, password_hash) VALUES {}",
            rows(&|n| format!("('user{n}', 'hash')"))
        ),
        format!(
            "INSERT INTO videos (author_id, title, object_key, cover_key, size_bytes, sha256, duration_ms, width, height, \
             published_ms) VALUES {}",
            rows(&|n| format!(
                "({}, 't', 'k{n}', 'c', 1, '', 1, 1, 1, {})",
                n % AUTHORS + 1,
                EPOCH + n
            ))
        ),
        format!(
            "INSERT INTO uploads (object_key, author_id, created_at) VALUES {}",
            rows(&|n| format!("('k{n}', 1, NOW(3) - INTERVAL {n} SECOND)"))
        ),
        format!(
            "INSERT INTO favorites (user_id, video_id, author_id, liked_us, batch) VALUES {}",
            rows(&|n| format!("({}, {n}, {}, {n}, 0)", n % USERS + 1, n % AUTHORS + 1))
        ),
        format!(
            "INSERT INTO comments (video_id, user_id, content, created_ms) VALUES {}",
            rows(&|n| format!("({}, 1, 'c', {n})", n % USERS + 1))
        ),
        format!(
            "INSERT INTO counters (kind, target_id, value, compare_round) VALUES {}",
            rows(&|n| format!("({}, {}, 1, {n})", n % 5 + 1, n / 5 + 1))
        ),
        format!(
            "INSERT INTO ledger (kind, target_id, delta) VALUES {}",
            rows(&|n| format!("({}, {}, 1)", n % 5 + 1, n % 1000 + 1))
        ),
        format!(
            "INSERT INTO idempotency_keys (user_id, kind, idempotency_key, fingerprint, result_id, created_ms) VALUES {}",
            rows(&|n| format!("({}, 'comment', 'key{n}', '', 1, {n})", n % USERS + 1))
        ),
        format!(
            "INSERT INTO unknown_objects (object_key, first_seen_ms) VALUES {}",
            rows(&|n| format!("('k{n}', {n})"))
        ),
        // Of each author a few aren't ready; of others the upload is kept.
        "UPDATE videos SET published_ms = NULL, state = 1 WHERE id % 41 = 0".to_owned(),
        "UPDATE videos SET original_key = CONCAT('o', id) WHERE id <= 100".to_owned(),
        "UPDATE uploads SET video_id = SUBSTRING(object_key, 2) WHERE object_key LIKE 'k9%'".to_owned(),
        // Half of the jobs are taken, and of these a few were given up.
        format!(
            "INSERT INTO jobs (video_id, author_id, state, turn, lease_until_ms) VALUES {}",
            rows(&|n| format!("({n}, 1, {}, {n}, IF({n} % 400 = 0, 0, {EPOCH} * 10))", n % 2))
        ),
        "ANALYZE NO_WRITE_TO_BINLOG TABLE jobs, unknown_objects, users, videos, uploads, favorites, comments, counters, ledger, idempotency_keys"
            .to_owned(),
    ] {
        database.execute(&insert).await;
    }
    let connection =
        crate::pool::open_replica(&mysql.primary_url, 1, std::time::Duration::from_secs(5));
    (database, connection.unwrap())
}

/// `query` for what `M` has of a row.
fn of<E: EntityTrait, M: PartialModelTrait>(query: Select<E>) -> Statement {
    M::select_cols(query.select_only()).build(DbBackend::MySql)
}

/// Asserts that `statement` reads by an index range or better, without sorting rows of a table, and touches at most `touched`
/// rows.
pub(crate) async fn assert_range(
    connection: &DatabaseConnection,
    statement: Statement,
    touched: u64,
) {
    let sql = statement.to_string();
    // With bound values, as in earnest: text in another character set must not cost the index.
    let explain = Statement {
        sql: format!("EXPLAIN {}", statement.sql),
        ..statement.clone()
    };
    for row in connection.query_all_raw(explain).await.unwrap() {
        let table: Option<String> = row.try_get("", "table").unwrap();
        if table.is_none_or(|table| table.starts_with('<')) {
            // Of no table: where the parts of a UNION are put together.
            continue;
        }
        let kind: String = row.try_get("", "type").unwrap();
        let extra: Option<String> = row.try_get("", "Extra").unwrap();
        let extra = extra.unwrap_or_default();
        assert!(
            ["range", "ref", "eq_ref", "const"].contains(&kind.as_str()),
            "{kind}: {sql}"
        );
        assert!(
            !extra.contains("filesort") && !extra.contains("temporary"),
            "{extra}: {sql}"
        );
    }
    let (returned, read) = cost(connection, statement).await;
    assert!(returned > 0, "nothing found: {sql}");
    assert!(read <= touched, "{read} rows touched for {returned}: {sql}");
}

/// Rows that a statement returns, and rows that it reads.
async fn cost(connection: &DatabaseConnection, statement: Statement) -> (u64, u64) {
    let before = rows_read(connection).await;
    let returned = connection.query_all_raw(statement).await.unwrap().len();
    (returned as u64, rows_read(connection).await - before)
}

/// Rows that this session has read from the engine, except those of temporary tables.
async fn rows_read(connection: &DatabaseConnection) -> u64 {
    let sql = "SHOW SESSION STATUS WHERE Variable_name IN ('Handler_read_first', 'Handler_read_key', 'Handler_read_last', \
               'Handler_read_next', 'Handler_read_prev', 'Handler_read_rnd')";
    let statement = Statement::from_string(DbBackend::MySql, sql);
    let rows = connection.query_all_raw(statement).await.unwrap();
    rows.iter()
        .map(|row| {
            row.try_get::<String>("", "Value")
                .unwrap()
                .parse::<u64>()
                .unwrap()
        })
        .sum()
}

#[tokio::test]
async fn every_query_is_one_index_range_also_on_deep_pages() {
    let (_database, db) = filled().await;
    // Each video comes with two counters, each user with five; MariaDB also looks up each in a cache of the subquery.
    let (video, user) = (1 + 2 * 2, 1 + 2 * 5);
    let page = (PAGE + 3) * video;
    for before_ms in [i64::MAX, EPOCH + VIDEOS, EPOCH + VIDEOS / 2, EPOCH + 31] {
        let feed = videos::newest(before_ms, PAGE);
        assert_range(&db, of::<_, videos::Video>(feed), page).await;
        let works = videos::works_before(7, before_ms.saturating_sub(EPOCH), PAGE, false);
        assert_range(&db, of::<_, videos::Video>(works), page).await;
    }
    assert_range(&db, videos::unfinished(7), 5).await;
    assert_range(&db, claim::waiting(), 3).await;
    let ids: Vec<i64> = (1..=VIDEOS).step_by(170).collect();
    let count = 2 * ids.len() as u64;
    let originals: Vec<String> = (1..=30).map(|id| format!("o{id}")).collect();
    let kept = videos::with_original_keys(padded(&originals)).select_only();
    let kept = kept.column(video::Column::OriginalKey);
    assert_range(&db, kept.build(DbBackend::MySql), 2 * count).await;
    let all = videos::with_ids(padded(&ids));
    assert_range(&db, of::<_, videos::Video>(all), count * video).await;
    let all = users::with_ids(padded(&ids));
    assert_range(&db, of::<_, users::User>(all), count * user).await;
    let known = users::with_name("user77");
    assert_range(&db, of::<_, users::Credentials>(known), 2).await;
    let keys: Vec<String> = ids.iter().map(|id| format!("k{id}")).collect();
    let known = videos::with_object_keys(padded(&keys)).select_only();
    let known = known.column(video::Column::ObjectKey);
    assert_range(&db, known.build(DbBackend::MySql), 2 * count).await;
    let known = uploads::with_keys(padded(&keys));
    assert_range(&db, known.build(DbBackend::MySql), 2 * count).await;
    let key = idempotency::recorded(28, idempotency::Kind::Comment, "key77");
    assert_range(&db, of::<_, idempotency::Recorded>(key), 2).await;
    assert_range(&db, uploads::replaced_in(99), 3).await;
    let upload = upload::Entity::find_by_id("k77");
    assert_range(&db, of::<_, uploads::Upload>(upload), 2).await;
    assert_range(&db, reaper::first_seen_before(0, 10), 12).await;
    for age_ms in [0, 2_000_000, 4_990_000] {
        let stale = uploads::older_than(age_ms, 10);
        assert_range(&db, of::<_, uploads::Upload>(stale), 12).await;
    }
}

#[tokio::test]
async fn likes_comments_and_counts_are_index_ranges_too() {
    let (_database, db) = filled().await;
    let page = PAGE + 3;
    for before in [i64::MAX, VIDEOS, VIDEOS / 2, 500] {
        let liked = favorites::liked_before(7, before, PAGE);
        assert_range(&db, liked.build(DbBackend::MySql), page).await;
    }
    let ids: Vec<i64> = (6..=VIDEOS).step_by(200).collect();
    let liked = favorites::liked_of(7, padded(&ids)).build(DbBackend::MySql);
    assert_range(&db, liked, 2 * ids.len() as u64 + 8).await;
    for before in [i64::MAX, VIDEOS / 2, VIDEOS - 40] {
        let under = comments::under(7, before, PAGE);
        assert_range(&db, of::<_, comments::Comment>(under), page).await;
    }
    // A counter and five rows of the ledger for each.
    let videos = (1..=30).map(Counter::VideoFavorites);
    let users = (1..=10).flat_map(|id| [Counter::UserFavorited(id), Counter::UserWorks(id)]);
    for counters in [videos.collect(), users.collect::<Vec<_>>()] {
        let rows = 9 * counters.len() as u64;
        assert_range(&db, counts::parts(&counters, ""), rows + 8).await;
    }
}
