//! Whose bucket deletions delete from, on the real database and object store.

use dal::{Db, deletions};
use idl::{comment::CommentServiceClientBuilder, favorite::FavoriteServiceClientBuilder};
use service::Clients;
use settings::{Secret, Settings};
use storage::Store;
use testkit::{Bucket, Database, environment};

use super::Deletions;

const KEY: &str = "videos/01890a5d-ac96-774b-bcce-b302099a8057.mp4";

#[tokio::test]
async fn a_deletion_waits_while_the_bucket_is_another_databases() {
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
    let clients = Clients::new("video", &settings).await.unwrap();
    let owed = Deletions::new(
        db.clone(),
        store,
        // Of which none answers here: a pass that begins fails.
        clients.client(FavoriteServiceClientBuilder::new("favorite")),
        clients.client(CommentServiceClientBuilder::new("comment")),
    );
    let begun = format!(
        "INSERT INTO video_deletions (video_id, author_id, object_keys, begun_ms) VALUES (1, 7, '{KEY}', 1)"
    );
    database.execute(&begun).await;
    let deletion = deletions::pending(&db, 0, 1).await.unwrap().remove(0);
    bucket.put(KEY, b"a film".to_vec()).await;
    // As with a copy of the database that names the original's bucket.
    bucket.put("bucket-id", b"the original's".to_vec()).await;
    for binding in [None, Some("the copy's")] {
        if let Some(marker) = binding {
            dal::reaper::begin_binding(&db, marker).await.unwrap();
        }
        assert_eq!(owed.pass().await.unwrap(), (0, 0), "bound to {binding:?}");
        owed.remove_or_leave(&deletion).await;
        assert_eq!(bucket.keys().await, [KEY], "bound to {binding:?}");
        let left = deletions::pending(&db, 0, 1).await.unwrap();
        assert_eq!(left.len(), 1, "bound to {binding:?}");
    }

    dal::reaper::begin_binding(&db, "the original's")
        .await
        .unwrap();
    owed.remove_or_leave(&deletion).await;
    assert_eq!(bucket.keys().await, [""; 0]);
    assert_eq!(deletions::pending(&db, 0, 1).await.unwrap(), []);
}
