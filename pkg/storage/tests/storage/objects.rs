//! Single objects, lists, and a store that doesn't answer.

use std::{convert::Infallible, time::Duration};

use crate::support::{settings, store};
use bytes::Bytes;
use settings::Secret;
use storage::{Stat, StorageError, Store};
use tokio::net::TcpListener;

#[tokio::test]
async fn an_object_can_be_put_found_read_and_deleted() {
    let (bucket, store) = store().await;
    let key = "covers/ü 1.jpg";
    let put =
        |text: &'static str| store.put(key, Bytes::from_static(text.as_bytes()), "image/jpeg");
    put("first").await.unwrap();
    put("0123456789").await.unwrap();
    let stat = Stat {
        size_bytes: 10,
        content_type: "image/jpeg".to_owned(),
    };
    assert_eq!(store.stat(key).await.unwrap(), Some(stat));
    let read = async |offset, len| store.read_range(key, offset, len).await;
    assert_eq!(read(0, 10).await.unwrap(), "0123456789");
    assert_eq!(read(3, 4).await.unwrap(), "3456");
    assert_eq!(read(8, 100).await.unwrap(), "89");
    assert_eq!(read(8, 0).await.unwrap(), "");
    let beyond = read(10, 1).await;
    assert!(
        matches!(beyond, Err(StorageError::Refused { .. })),
        "{beyond:?}"
    );

    for _ in 0..2 {
        store.delete(key).await.unwrap();
        assert_eq!(store.stat(key).await.unwrap(), None);
    }
    assert!(matches!(
        read(0, 1).await,
        Err(StorageError::NotFound { .. })
    ));
    assert!(bucket.keys().await.is_empty());
}

#[tokio::test]
async fn a_list_comes_in_pages_in_the_order_of_the_keys() {
    let (_bucket, store) = store().await;
    for key in ["v/3", "v/1", "v/2", "v/a/4", "w/1"] {
        store
            .put(key, Bytes::from_static(b"12"), "text/plain")
            .await
            .unwrap();
    }
    let page = async |after| {
        let page = store.list("v/", after, 2).await.unwrap();
        assert!(page.iter().all(|object| object.size_bytes == 2));
        assert!(
            page.iter()
                .all(|object| object.modified_ms > 1_700_000_000_000)
        );
        page.into_iter()
            .map(|object| object.key)
            .collect::<Vec<_>>()
    };
    assert_eq!(page("").await, ["v/1", "v/2"]);
    assert_eq!(page("v/2").await, ["v/3", "v/a/4"]);
    assert!(page("v/a/4").await.is_empty());
}

#[tokio::test]
async fn the_bucket_is_made_once_by_however_many() {
    let (bucket, store) = store().await;
    store.ensure_bucket().await.unwrap();
    drop(bucket);
    let missing = store.stat("key").await;
    assert!(matches!(missing, Ok(None)), "{missing:?}");
    let all = futures::future::join_all((0..4).map(|_| store.ensure_bucket())).await;
    assert!(all.iter().all(Result::is_ok), "{all:?}");
    store.put("key", Bytes::new(), "text/plain").await.unwrap();
    store.delete("key").await.unwrap();
}

#[tokio::test]
async fn a_wrong_secret_is_refused_and_not_shown() {
    let (bucket, _) = store().await;
    let mut settings = settings(bucket.name());
    settings.secret_key = Secret::new("not-the-secret");
    let store = Store::new(&settings).unwrap();
    let refused = store
        .put("key", Bytes::new(), "text/plain")
        .await
        .unwrap_err();
    assert!(
        matches!(refused, StorageError::Refused { .. }),
        "{refused:?}"
    );
    let listed = store.list("", "", 10).await.unwrap_err();
    assert!(matches!(listed, StorageError::Refused { .. }), "{listed:?}");
    for text in [
        format!("{refused} {refused:?} {listed} {listed:?}"),
        format!("{store:?}"),
    ] {
        for secret in ["http", "X-Amz", "Signature=", "not-the-secret"] {
            assert!(!text.contains(secret), "{text}");
        }
    }
}

#[tokio::test]
async fn a_store_that_is_down_is_unavailable_at_once() {
    let mut settings = settings("bucket");
    // Bound and closed again: nobody listens there.
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr();
    settings.endpoint = format!("http://{}", address.unwrap());
    let store = Store::new(&settings).unwrap();
    let error = store.stat("key").await.unwrap_err();
    assert!(
        matches!(error, StorageError::Unavailable { .. }),
        "{error:?}"
    );
    assert_eq!(error.to_string(), "object store: stat: no connection");
    // Signing needs no store.
    store.internal_url("key", Duration::from_secs(60)).unwrap();
}

#[tokio::test]
async fn a_store_that_hangs_is_unavailable_within_the_time_limit() {
    let mut settings = settings("bucket");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    settings.endpoint = format!("http://{}", listener.local_addr().unwrap());
    let store = Store::new(&settings).unwrap();
    // It comes to an end by its own limit; this one only keeps the test from hanging.
    let deleted = tokio::time::timeout(Duration::from_secs(60), store.delete("key")).await;
    let error = deleted.expect("an answer").unwrap_err();
    assert_eq!(error.to_string(), "object store: delete: timed out");
}

#[test]
fn a_bad_setting_is_named() {
    let name = |change: fn(&mut settings::ObjectStore)| {
        let mut settings = settings("bucket");
        change(&mut settings);
        Store::new(&settings).unwrap_err().to_string()
    };
    for (key, error) in [
        ("endpoint", name(|s| s.endpoint = "ftp://x".to_owned())),
        (
            "public_endpoint",
            name(|s| s.public_endpoint = "http://x/path".to_owned()),
        ),
        ("region", name(|s| s.region = String::new())),
        ("bucket", name(|s| s.bucket = "No Such".to_owned())),
    ] {
        let start = format!("settings: object_store.{key}: ");
        assert!(error.starts_with(&start), "{error}");
    }
}

/// Compiles: handlers hold these futures across threads, whatever the lifetimes of what they borrow.
#[test]
fn every_call_can_be_made_by_a_task() {
    fn check<'a>(store: &'a Store, key: &'a str) -> Vec<Box<dyn Send + 'a>> {
        let parts = futures::stream::empty::<Result<Bytes, Infallible>>();
        vec![
            Box::new(store.ensure_bucket()) as _,
            Box::new(store.put(key, Bytes::new(), key)),
            Box::new(store.begin_multipart(key, key)),
            Box::new(store.send_parts(key, key, None, parts, 1)),
            Box::new(store.abort_multipart(key, key)),
            Box::new(store.delete(key)),
            Box::new(store.stat(key)),
            Box::new(store.read_range(key, 0, 1)),
            Box::new(store.list(key, key, 1)),
            Box::new(store.list_uploads(key)),
        ]
    }
    let store = Store::new(&settings("bucket")).unwrap();
    assert_eq!(check(&store, "key").len(), 10);
}
