//! Unused pictures, on the real database and object store.

use dal::{Db, profiles};
use settings::{Secret, Settings};
use storage::Store;
use testkit::{Bucket, Database, environment};

use super::Pictures;

const KEY: &str = "pictures/01890a5d-ac96-774b-bcce-b302099a8057.jpg";

#[tokio::test]
async fn an_unused_picture_stays_while_the_bucket_is_another_databases() {
    let (database, bucket) = tokio::join!(Database::create(), Bucket::create());
    let mut settings = Settings::load().unwrap();
    settings.mysql.primary_url = Secret::new(database.service_url());
    settings.mysql.replica_urls = Vec::new();
    settings.mysql.migrate_url = Secret::new(database.migrate_url());
    settings.object_store.endpoint = environment::s3_endpoint();
    settings.object_store.public_endpoint = environment::s3_endpoint();
    settings.object_store.bucket = bucket.name().to_owned();
    settings.object_store.access_key = Secret::new(environment::s3_access_key());
    settings.object_store.secret_key = Secret::new(environment::s3_secret_key());
    dal::migrate(&settings.mysql).await.unwrap();
    let db = Db::connect(&settings.mysql).unwrap();
    let store = Store::new(&settings.object_store).unwrap();
    let pictures = Pictures::new(db.clone(), store, &settings.mysql);
    profiles::record_picture(&db, KEY, 1).await.unwrap();
    let older = "UPDATE user_pictures SET created_at = created_at - INTERVAL 2 HOUR";
    database.execute(older).await;
    bucket.put(KEY, b"a picture".to_vec()).await;
    // As with a copy of the database that names the original's bucket.
    bucket.put("bucket-id", b"the original's".to_vec()).await;
    let rows = async || {
        let sql = "SELECT COUNT(*) FROM user_pictures";
        database.value::<i64>(sql).await
    };
    for binding in [None, Some("the copy's")] {
        if let Some(marker) = binding {
            dal::reaper::begin_binding(&db, marker).await.unwrap();
        }
        pictures.pass().await.unwrap();
        assert_eq!(bucket.keys().await, [KEY], "bound to {binding:?}");
        assert_eq!(rows().await, 1, "bound to {binding:?}");
    }

    dal::reaper::begin_binding(&db, "the original's")
        .await
        .unwrap();
    pictures.pass().await.unwrap();
    assert_eq!(bucket.keys().await, [""; 0]);
    assert_eq!(rows().await, 0);
}
