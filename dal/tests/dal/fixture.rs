//! A migrated database of the test's own, and rows in it.

use dal::{
    Db,
    counters::Counters,
    favorites::FavoriteOp,
    videos::{Media, NewVideo, Outcome},
};
use settings::{Mysql, Redis, Secret};
use testkit::Database;

use crate::stage::PATIENCE;

/// Of one `Db`, to the primary.
pub const MAX_CONNECTIONS: usize = 16;

pub fn mysql(primary: &str, replicas: &[&str]) -> Mysql {
    Mysql {
        primary_url: Secret::new(primary),
        replica_urls: replicas.iter().map(|url| Secret::new(*url)).collect(),
        migrate_url: Secret::new(""),
        max_connections: u32::try_from(MAX_CONNECTIONS).unwrap(),
        max_fallback_connections: 16,
        acquire_timeout_ms: 2000,
        reads_after_writes: settings::ReadsAfterWrites::Gtid,
        max_lag_s: 30,
        replica_wait_ms: 50,
    }
}

/// A migrated database, and a `Db` on it and on its real replica.
pub async fn migrated() -> (Database, Db) {
    let database = Database::create().await;
    let mysql = mysql(database.primary_url(), &[database.replica_url()]);
    dal::migrate(&mysql).await.unwrap();
    let db = Db::connect(&mysql).unwrap();
    (database, db)
}

/// A migrated database, and a `Db` whose replica will never hear of its rows: another database on the real replica, which the third
/// fills by way of the primary. It is in rotation when this returns.
pub async fn with_a_replica_that_lags() -> (Database, Database, Db) {
    let (primary, replica) = (Database::create().await, Database::create().await);
    for database in [&primary, &replica] {
        dal::migrate(&mysql(database.primary_url(), &[]))
            .await
            .unwrap();
    }
    replica.replicas_caught_up().await;
    let db = Db::connect(&mysql(primary.primary_url(), &[replica.replica_url()])).unwrap();
    in_rotation(&db).await;
    (primary, replica, db)
}

/// Waits until reads may go to the replicas: a process that has just started trusts none.
pub async fn in_rotation(db: &Db) {
    for replica in db
        .servers()
        .into_iter()
        .filter(|server| !server.is_primary())
    {
        testkit::eventually(PATIENCE, "a replica in rotation", async || {
            replica.clone().ping().await.ok()
        })
        .await;
    }
}

pub fn new_video(author_id: i64, object_key: &str) -> NewVideo {
    NewVideo {
        author_id,
        title: format!("标题 {object_key}"),
        upload_key: object_key.to_owned(),
        size_bytes: 1,
        sha256: "0".repeat(64),
        media: Media {
            object_key: object_key.to_owned(),
            cover_key: format!("{object_key}.jpg"),
            has_small_cover: false,
            duration_ms: 1000,
            width: 16,
            height: 9,
            bit_rate: 8,
            small: None,
        },
        outcome: Outcome::Ready {
            keep_original: false,
        },
        key: None,
    }
}

/// Records the upload and publishes it.
pub async fn publish(db: &Db, author_id: i64, object_key: &str) -> dal::videos::Video {
    dal::uploads::record(db, object_key, author_id)
        .await
        .unwrap();
    dal::videos::publish(db, &without_redis(db), &new_video(author_id, object_key))
        .await
        .unwrap()
}

/// Counters whose Redis is away: MySQL answers.
pub fn without_redis(db: &Db) -> Counters {
    Counters::connect(&redis("redis://127.0.0.1:1"), db.clone()).unwrap()
}

pub fn redis(url: &str) -> Redis {
    Redis {
        url: Secret::new(url),
        favorites_db: 1,
        comments_db: 2,
        marks_db: 3,
        limits_db: 4,
        key_prefix: "t:".to_owned(),
        counter_ttl_s: 60,
        command_timeout_ms: 200,
        ca_file: None,
    }
}

/// The author of a video in these tests.
pub fn author_of(video_id: i64) -> i64 {
    1000 + video_id % 3
}

pub fn like(user_id: i64, video_id: i64) -> FavoriteOp {
    FavoriteOp {
        user_id,
        video_id,
        author_id: author_of(video_id),
        liked: true,
    }
}

pub fn unlike(user_id: i64, video_id: i64) -> FavoriteOp {
    FavoriteOp {
        liked: false,
        ..like(user_id, video_id)
    }
}
