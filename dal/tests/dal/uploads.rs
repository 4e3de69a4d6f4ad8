//! Uploads: record, find, abort, and which of them are stale.

use dal::{
    DalError,
    uploads::{self, Upload},
};

use crate::fixture::{self, new_video};

#[tokio::test]
async fn an_upload_is_remembered_with_its_upload_id_until_it_is_removed() {
    let (_database, db) = fixture::migrated().await;
    uploads::record(&db, "a", 7).await.unwrap();
    assert!(matches!(
        uploads::record(&db, "a", 7).await,
        Err(DalError::Duplicate)
    ));
    uploads::set_upload_id(&db, "a", &"u".repeat(1024))
        .await
        .unwrap();
    let expected = Upload {
        object_key: "a".to_owned(),
        upload_id: Some("u".repeat(1024)),
        author_id: 7,
        aborting: false,
    };
    assert_eq!(uploads::find(&db, "a").await.unwrap(), Some(expected));
    assert!(uploads::remove(&db, "a").await.unwrap());
    assert!(!uploads::remove(&db, "a").await.unwrap());
    assert_eq!(uploads::find(&db, "a").await.unwrap(), None);
    assert!(matches!(
        uploads::set_upload_id(&db, "a", "u").await,
        Err(DalError::NotFound)
    ));
}

#[tokio::test]
async fn an_aborted_upload_cannot_be_published_and_stays_known_until_the_store_is_clean() {
    let (_database, db) = fixture::migrated().await;
    assert_eq!(uploads::begin_abort(&db, "a").await.unwrap(), None);
    uploads::record(&db, "a", 1).await.unwrap();
    for _ in 0..2 {
        assert!(
            uploads::begin_abort(&db, "a")
                .await
                .unwrap()
                .unwrap()
                .aborting
        );
    }
    let refused = dal::videos::publish(&db, &fixture::without_redis(&db), &new_video(1, "a")).await;
    assert!(matches!(refused, Err(DalError::NotFound)));
    assert!(uploads::find(&db, "a").await.unwrap().is_some());
}

#[tokio::test]
async fn a_key_is_known_while_an_upload_or_a_video_has_it() {
    let (_database, db) = fixture::migrated().await;
    uploads::record(&db, "under way", 1).await.unwrap();
    fixture::publish(&db, 1, "published").await;
    let keys = ["published", "nobody's", "under way"].map(str::to_owned);
    let known = dal::reaper::known(&db, &keys).await.unwrap();
    assert_eq!(known, ["under way", "published"].map(str::to_owned).into());
    assert!(dal::reaper::known(&db, &[]).await.unwrap().is_empty());
    let published = dal::videos::by_object_key(&db, "published").await.unwrap();
    assert_eq!(published.unwrap().object_key, "published");
    let under_way = dal::videos::by_object_key(&db, "under way").await.unwrap();
    assert_eq!(under_way, None);
}

#[tokio::test]
async fn stale_uploads_are_the_oldest_by_the_databases_clock() {
    let (database, db) = fixture::migrated().await;
    for key in ["new", "older", "oldest"] {
        uploads::record(&db, key, 1).await.unwrap();
    }
    for (key, seconds) in [("older", 100), ("oldest", 200)] {
        let sql = format!(
            "UPDATE uploads SET created_at = created_at - INTERVAL {seconds} SECOND WHERE object_key = '{key}'"
        );
        database.execute(&sql).await;
    }
    let stale = async |age_ms, limit| -> Vec<String> {
        let found = uploads::stale(&db, age_ms, limit).await.unwrap();
        found.into_iter().map(|upload| upload.object_key).collect()
    };
    assert_eq!(stale(50_000, 10).await, ["oldest", "older"]);
    assert_eq!(stale(50_000, 1).await, ["oldest"]);
    assert_eq!(stale(150_000, 10).await, ["oldest"]);
    assert!(stale(300_000, 10).await.is_empty());
}
