//! Profiles: which pictures nobody can be shown any more.

use std::time::Duration;

use dal::{
    Db,
    accounts::{self, AccountChange},
    counters::Counters,
    profiles::{self, ProfileChange},
    users,
};
use testkit::Database;

use crate::fixture;

/// Of both kinds.
const AGE: Duration = Duration::from_secs(3600);

async fn unused(db: &Db) -> Vec<String> {
    let mut keys = profiles::unused_pictures(db, AGE, AGE, 10).await.unwrap();
    keys.sort();
    keys
}

async fn two_hours_pass(database: &Database) {
    let sql = "UPDATE user_pictures SET created_at = created_at - INTERVAL 2 HOUR";
    database.execute(sql).await;
}

/// Gives the user a new avatar.
async fn change_avatar(db: &Db, counters: &Counters, user_id: i64, key: &str) {
    profiles::record_picture(db, key, user_id).await.unwrap();
    let change = ProfileChange {
        avatar: Some(key.to_owned()),
        ..ProfileChange::default()
    };
    profiles::change(db, counters, user_id, change)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_picture_is_unused_some_time_after_it_was_sent_or_replaced() {
    let (database, db) = fixture::migrated().await;
    let counters = fixture::without_redis(&db);
    let id = users::create(&db, "bob", "hash").await.unwrap();
    change_avatar(&db, &counters, id, "first").await;
    two_hours_pass(&database).await;
    change_avatar(&db, &counters, id, "second").await;
    profiles::record_picture(&db, "never used", id)
        .await
        .unwrap();
    // However old it was when it was replaced.
    assert!(unused(&db).await.is_empty());
    two_hours_pass(&database).await;
    assert_eq!(unused(&db).await, ["first", "never used"]);
    for key in ["first", "second", "never used"] {
        profiles::forget_picture(&db, key).await.unwrap();
    }
    let left: Vec<String> = database
        .column("SELECT object_key FROM user_pictures")
        .await;
    assert_eq!(left, ["second"]);
}

#[tokio::test]
async fn the_pictures_of_a_deleted_account_are_unused_some_time_after_it() {
    let (database, db) = fixture::migrated().await;
    let counters = fixture::without_redis(&db);
    let id = users::create(&db, "bob", "hash").await.unwrap();
    change_avatar(&db, &counters, id, "avatar").await;
    two_hours_pass(&database).await;
    let deletion = AccountChange::Deleted {
        verified: "hash".to_owned(),
    };
    accounts::change(&db, &counters, id, deletion)
        .await
        .unwrap();
    assert!(unused(&db).await.is_empty());
    two_hours_pass(&database).await;
    assert_eq!(unused(&db).await, ["avatar"]);
}
