//! Presigned URLs, fetched as a browser would.

use std::time::Duration;

use crate::support::{settings, store};
use bytes::Bytes;
use reqwest::{Response, header};
use storage::Store;

const TEN: &str = "0123456789";

async fn get(url: &str, range: Option<&str>) -> Response {
    let mut request = reqwest::Client::new().get(url);
    if let Some(range) = range {
        request = request.header(header::RANGE, range);
    }
    request.send().await.unwrap()
}

async fn status(url: &str) -> u16 {
    get(url, None).await.status().as_u16()
}

async fn put_ten(store: &Store) {
    store
        .put("v/1.mp4", Bytes::from_static(TEN.as_bytes()), "video/mp4")
        .await
        .unwrap();
}

#[tokio::test]
async fn a_play_url_is_fetched_whole_and_in_ranges_at_the_public_endpoint() {
    let (_bucket, store) = store().await;
    put_ten(&store).await;
    let url = store.play_url("v/1.mp4").unwrap();
    assert!(url.starts_with("http://localhost:"), "public endpoint");
    let whole = get(&url, None).await;
    assert_eq!(whole.status(), 200);
    assert_eq!(whole.headers()[header::CONTENT_TYPE], "video/mp4");
    assert_eq!(whole.text().await.unwrap(), TEN);
    for (range, expected) in [("bytes=2-4", "234"), ("bytes=7-", "789"), ("bytes=-1", "9")] {
        let part = get(&url, Some(range)).await;
        assert_eq!(part.status(), 206, "{range}");
        assert_eq!(part.text().await.unwrap(), expected, "{range}");
    }
}

#[tokio::test]
async fn a_public_endpoint_in_capitals_is_signed_as_browsers_send_it() {
    let (bucket, store) = store().await;
    put_ten(&store).await;
    let mut capitals = settings(bucket.name());
    capitals.public_endpoint = capitals.public_endpoint.to_ascii_uppercase();
    let url = Store::new(&capitals).unwrap().play_url("v/1.mp4").unwrap();
    assert!(url.starts_with("http://localhost:"), "{url}");
    assert_eq!(get(&url, None).await.text().await.unwrap(), TEN);
}

#[tokio::test]
async fn an_internal_url_is_fetched_at_the_internal_endpoint() {
    let (_bucket, store) = store().await;
    put_ten(&store).await;
    let url = store
        .internal_url("v/1.mp4", Duration::from_secs(60))
        .unwrap();
    assert!(url.starts_with("http://127.0.0.1:"), "internal endpoint");
    assert_eq!(get(&url, None).await.text().await.unwrap(), TEN);
}

#[tokio::test]
async fn a_changed_url_gets_403() {
    let (_bucket, store) = store().await;
    put_ten(&store).await;
    store
        .put("v/2.mp4", Bytes::from_static(b"x"), "video/mp4")
        .await
        .unwrap();
    let url = store.play_url("v/1.mp4").unwrap();
    let (start, signature) = url.split_once("X-Amz-Signature=").unwrap();
    let turned = if signature.starts_with('0') { "1" } else { "0" };
    for (what, changed) in [
        ("key", url.replace("v/1.mp4", "v/2.mp4")),
        (
            "life",
            url.replace("X-Amz-Expires=600", "X-Amz-Expires=6000"),
        ),
        (
            "signature",
            format!("{start}X-Amz-Signature={turned}{}", &signature[1..]),
        ),
        ("host", url.replace("localhost", "127.0.0.1")),
        ("no signature", url.split('?').next().unwrap().to_owned()),
    ] {
        assert_ne!(changed, &*url, "{what}");
        assert_eq!(status(&changed).await, 403, "{what}");
    }
    assert_eq!(status(&url).await, 200);
}

#[tokio::test]
async fn an_expired_url_gets_403() {
    let (_bucket, store) = store().await;
    put_ten(&store).await;
    let url = |seconds| {
        let ttl = Duration::from_secs(seconds);
        store.internal_url("v/1.mp4", ttl).unwrap()
    };
    // A busy machine may come too late for a short one.
    assert_eq!(status(&url(60)).await, 200);
    let url = url(2);
    let expired = testkit::eventually(Duration::from_secs(60), "the URL expires", async || {
        (status(&url).await != 200).then_some(())
    });
    expired.await;
    assert_eq!(status(&url).await, 403);
}

#[tokio::test]
async fn all_processes_give_the_same_play_url() {
    let (bucket, store) = store().await;
    let other = Store::new(&settings(bucket.name())).unwrap();
    // Only if half a life ends between the two, they differ.
    let same = || store.play_url("v/1.mp4") == other.play_url("v/1.mp4");
    assert!(same() || same());
}
