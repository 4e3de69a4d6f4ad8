//! A write with an idempotency key happens once, however often and at how many places it is retried.

use dal::{
    DalError, Db,
    comments::{Comment, Comments, NewComment},
    counts::{self, Counter},
    idempotency::{self, Key, Kind},
    videos,
};
use futures::future::join_all;
use testkit::Database;

use crate::fixture::{self, new_video};

/// User 1 under video 1.
fn keyed(key: &str, content: &str) -> NewComment {
    NewComment {
        video_id: 1,
        user_id: 1,
        content: content.to_owned(),
        key: Some(Key::new(1, Kind::Comment, key, &["1", content])),
    }
}

async fn add(db: &Db, comment: &NewComment) -> Result<Comment, DalError> {
    Comments::start(db.clone(), fixture::without_redis(db))
        .add(comment.clone())
        .await
}

async fn rows(database: &Database) -> i64 {
    database.value("SELECT COUNT(*) FROM comments").await
}

#[tokio::test]
async fn a_repeated_comment_is_the_first_one() {
    let (database, db) = fixture::migrated().await;
    let first = add(&db, &keyed("k", "好")).await.unwrap();
    for _ in 0..2 {
        assert_eq!(add(&db, &keyed("k", "好")).await.unwrap(), first);
    }
    assert_eq!(rows(&database).await, 1);
    let counted = Counter::VideoComments(1);
    let counts = counts::exact(&db, &[counted]).await.unwrap();
    assert_eq!(counts.get(&counted), Some(&1));
}

#[tokio::test]
async fn of_many_at_once_one_happens_and_all_are_told_of_it() {
    let (database, db) = fixture::migrated().await;
    let comment = keyed("k", "好");
    let all = join_all((0..8).map(|_| add(&db, &comment))).await;
    let ids: Vec<i64> = all.into_iter().map(|made| made.unwrap().id).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert_eq!(rows(&database).await, 1);
}

#[tokio::test]
async fn a_key_that_came_with_something_else_is_refused_and_nothing_changes() {
    let (database, db) = fixture::migrated().await;
    add(&db, &keyed("k", "好")).await.unwrap();
    let other = add(&db, &keyed("k", "好吧")).await;
    assert!(matches!(other, Err(DalError::KeyReused)), "{other:?}");
    assert_eq!(rows(&database).await, 1);
}

#[tokio::test]
async fn another_key_another_user_and_another_kind_are_no_repeat() {
    let (database, db) = fixture::migrated().await;
    add(&db, &keyed("k", "好")).await.unwrap();
    add(&db, &keyed("K", "好")).await.unwrap();
    let mut theirs = keyed("k", "好");
    theirs.user_id = 2;
    theirs.key = Some(Key::new(2, Kind::Comment, "k", &["1", "好"]));
    add(&db, &theirs).await.unwrap();
    assert_eq!(rows(&database).await, 3);
    let key = Key::new(1, Kind::Publish, "k", &["1", "好"]);
    let counters = fixture::without_redis(&db);
    assert_eq!(videos::by_key(&db, &counters, 1, &key).await.unwrap(), None);
}

#[test]
fn the_parts_of_the_content_are_told_apart() {
    let of = |content: &[&str]| Key::new(1, Kind::Publish, "k", content);
    assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
    assert_eq!(of(&["ab", "c"]), of(&["ab", "c"]));
}

#[tokio::test]
async fn a_comment_that_is_refused_leaves_its_key_free() {
    let (database, db) = fixture::migrated().await;
    let mut long = keyed("k", "好");
    long.content = "好".repeat(501);
    add(&db, &long).await.unwrap_err();
    add(&db, &keyed("k", "好")).await.unwrap();
    assert_eq!(rows(&database).await, 1);
}

#[tokio::test]
async fn a_second_publish_with_a_key_changes_nothing_and_learns_of_the_first() {
    let (database, db) = fixture::migrated().await;
    let counters = fixture::without_redis(&db);
    let key = Key::new(1, Kind::Publish, "k", &["A walk", "digest"]);
    let publish = async |object_key: &str| {
        dal::uploads::record(&db, object_key, 1).await.unwrap();
        let mut video = new_video(1, object_key);
        video.key = Some(key.clone());
        videos::publish(&db, &counters, &video).await
    };
    let first = publish("a").await.unwrap();
    let second = publish("b").await;
    assert!(matches!(second, Err(DalError::Duplicate)), "{second:?}");
    let found = videos::by_key(&db, &counters, 1, &key).await.unwrap();
    let found = found.unwrap();
    assert_eq!((found.id, found.created_ms), (first.id, first.published_ms));
    let videos: i64 = database.value("SELECT COUNT(*) FROM videos").await;
    assert_eq!(videos, 1);
    // Its upload can still be taken back.
    assert!(dal::uploads::find(&db, "b").await.unwrap().is_some());
    let other = Key::new(1, Kind::Publish, "k", &["A walk", "another digest"]);
    let other = videos::by_key(&db, &counters, 1, &other).await;
    assert!(matches!(other, Err(DalError::KeyReused)), "{other:?}");
}

#[tokio::test]
async fn keys_are_forgotten_after_a_day_the_oldest_first() {
    let (database, db) = fixture::migrated().await;
    for (key, hours) in [("new", 0), ("young", 23), ("old", 25), ("older", 26)] {
        add(&db, &keyed(key, key)).await.unwrap();
        let sql = format!(
            "UPDATE idempotency_keys SET created_ms = created_ms - {hours} * 3600000 WHERE idempotency_key = '{key}'"
        );
        database.execute(&sql).await;
    }
    assert_eq!(idempotency::forget_old(&db, 1).await.unwrap(), 1);
    let left = "SELECT idempotency_key FROM idempotency_keys ORDER BY created_ms";
    assert_eq!(
        database.column::<String>(left).await,
        ["old", "young", "new"]
    );
    assert_eq!(idempotency::forget_old(&db, 10).await.unwrap(), 1);
    assert_eq!(database.column::<String>(left).await, ["young", "new"]);
    add(&db, &keyed("old", "old")).await.unwrap();
    assert_eq!(rows(&database).await, 5);
}
