//! Multipart uploads: what is stored, and what is left after a failure.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use crate::support::{content, settings, store};
use bytes::Bytes;
use futures::{Stream, StreamExt, stream};
use storage::{SendError, StorageError, Store};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
    time::timeout,
};

const MIB: usize = 1 << 20;
/// The smallest that S3 allows.
const PART: usize = 5 * MIB;

/// The client went away, as a caller's error would say it.
#[derive(Debug, PartialEq)]
struct Gone;

/// Content as a network would bring it: chunks of odd sizes, empty ones among them.
fn chunks(content: &[u8]) -> impl Stream<Item = Result<Bytes, Gone>> + Send + use<> {
    let content = Bytes::copy_from_slice(content);
    let step = 65_521.min(content.len() / 3 + 1);
    let mut chunks = vec![Ok(Bytes::new())];
    for (i, start) in (0..content.len()).step_by(step).enumerate() {
        chunks.push(Ok(content.slice(start..content.len().min(start + step))));
        if i % 7 == 0 {
            chunks.push(Ok(Bytes::new()));
        }
    }
    stream::iter(chunks)
}

async fn upload(store: &Store, key: &str, content: &[u8], part_bytes: usize) {
    let id = store.begin_multipart(key, "video/mp4").await.unwrap();
    let sent = store
        .send_parts(key, &id, None, chunks(content), part_bytes)
        .await
        .unwrap();
    assert_eq!(sent, content.len() as u64);
}

async fn assert_stored(store: &Store, key: &str, content: &[u8]) {
    let stat = store.stat(key).await.unwrap().expect("an object");
    assert_eq!(stat.size_bytes, content.len() as u64);
    assert_eq!(stat.content_type, "video/mp4");
    let stored = store.read_range(key, 0, u64::MAX / 2).await.unwrap();
    assert!(stored == content, "{key}: other bytes than were sent");
}

#[tokio::test]
async fn a_stream_arrives_byte_for_byte_whatever_its_length() {
    let (bucket, store) = store().await;
    let sizes = [
        1,
        1_000,
        PART - 1,
        PART,
        PART + 1,
        2 * PART,
        2 * PART + 12_345,
    ];
    let content = content(20 * MIB + 7);
    for size in sizes {
        let key = format!("size/{size}");
        upload(&store, &key, &content[..size], PART).await;
        assert_stored(&store, &key, &content[..size]).await;
    }
    let key = "parts of 8 MiB";
    upload(&store, key, &content, 8 * MIB).await;
    assert_stored(&store, key, &content).await;
    assert!(bucket.open_uploads().await.is_empty());
}

#[tokio::test]
async fn what_was_read_ahead_comes_first() {
    let (_bucket, store) = store().await;
    let content = content(PART + 100);
    for ahead in [1, PART, PART + 1, content.len()] {
        let key = format!("ahead/{ahead}");
        let id = store.begin_multipart(&key, "video/mp4").await.unwrap();
        let first = Bytes::copy_from_slice(&content[..ahead]);
        let sent = store
            .send_parts(&key, &id, Some(first), chunks(&content[ahead..]), PART)
            .await;
        assert_eq!(sent.unwrap(), content.len() as u64);
        assert_stored(&store, &key, &content).await;
    }
}

#[tokio::test]
async fn a_stream_without_a_byte_is_told_apart() {
    let (bucket, store) = store().await;
    let id = store.begin_multipart("empty", "video/mp4").await.unwrap();
    let sent = store
        .send_parts("empty", &id, None, chunks(&[]), PART)
        .await;
    assert!(matches!(sent, Err(SendError::Empty)), "{sent:?}");
    store.abort_multipart("empty", &id).await.unwrap();
    assert!(!bucket.has_open_upload("empty").await);
    assert!(bucket.keys().await.is_empty());
}

#[tokio::test]
async fn a_stream_that_breaks_gives_its_own_error_and_leaves_nothing_after_the_abort() {
    let (bucket, store) = store().await;
    for sent_before in [0, 10, PART, PART + 1, 2 * PART + 1000] {
        let key = format!("broken/{sent_before}");
        let id = store.begin_multipart(&key, "video/mp4").await.unwrap();
        let broken = chunks(&content(sent_before)).chain(stream::iter([Err(Gone)]));
        // In a task, as the API does it.
        let sent = tokio::spawn({
            let (store, key, id) = (store.clone(), key.clone(), id.clone());
            async move { store.send_parts(&key, &id, None, broken, PART).await }
        });
        let error = sent.await.unwrap().unwrap_err();
        assert!(matches!(error, SendError::Source(Gone)), "{error:?}");
        assert!(bucket.has_open_upload(&key).await);
        let prefix = match testkit::environment::store_lists_uploads() {
            true => "broken/",
            false => &key,
        };
        let open = store.list_uploads(prefix).await.unwrap();
        assert_eq!((&*open[0].key, &*open[0].upload_id), (&*key, &*id));
        assert!(open[0].begun_ms > 1_700_000_000_000);
        assert!(store.list_uploads("other/").await.unwrap().is_empty());

        store.abort_multipart(&key, &id).await.unwrap();
        assert!(!bucket.has_open_upload(&key).await);
        assert!(bucket.keys().await.is_empty());
        // A part can't come back to life either.
        let late = store
            .send_parts(&key, &id, None, chunks(&content(10)), PART)
            .await;
        let late = late.unwrap_err();
        assert!(
            matches!(late, SendError::Store(StorageError::NotFound { .. })),
            "{late:?}"
        );
        assert!(!bucket.has_open_upload(&key).await);
        assert!(bucket.keys().await.is_empty());
    }
}

#[tokio::test]
async fn an_abort_can_be_repeated_and_leaves_a_completed_object_alone() {
    let (bucket, store) = store().await;
    let content = content(1000);
    let id = store.begin_multipart("done", "video/mp4").await.unwrap();
    let sent = store.send_parts("done", &id, None, chunks(&content), PART);
    sent.await.unwrap();
    store.abort_multipart("done", &id).await.unwrap();
    assert_stored(&store, "done", &content).await;

    let id = store.begin_multipart("dropped", "video/mp4").await.unwrap();
    for _ in 0..3 {
        store.abort_multipart("dropped", &id).await.unwrap();
    }
    assert_eq!(bucket.keys().await, ["done"]);
}

#[tokio::test]
async fn a_part_whose_connection_breaks_is_sent_again() {
    let (bucket, store) = store().await;
    let breaks = Arc::new(AtomicUsize::new(2));
    let mut through_proxy = settings(bucket.name());
    through_proxy.endpoint = proxy(Arc::clone(&breaks)).await;
    let proxied = Store::new(&through_proxy).unwrap();
    let content = content(2 * PART + 1);
    upload(&proxied, "video", &content, PART).await;
    assert_eq!(breaks.load(Ordering::SeqCst), 0);
    assert_stored(&store, "video", &content).await;
}

#[tokio::test]
async fn a_store_that_keeps_breaking_ends_the_upload_and_not_the_stream() {
    let (bucket, store) = store().await;
    let mut through_proxy = settings(bucket.name());
    through_proxy.endpoint = proxy(Arc::new(AtomicUsize::new(usize::MAX))).await;
    let proxied = Store::new(&through_proxy).unwrap();
    let id = proxied.begin_multipart("video", "video/mp4").await.unwrap();
    // A client that has sent a part and then waits for ever.
    let waiting = chunks(&content(PART)).chain(stream::pending());
    let sent = timeout(
        Duration::from_secs(30),
        proxied.send_parts("video", &id, None, waiting, PART),
    );
    let error = sent.await.expect("in time").unwrap_err();
    assert!(
        matches!(error, SendError::Store(StorageError::Unavailable { .. })),
        "{error:?}"
    );
    store.abort_multipart("video", &id).await.unwrap();
    assert!(!bucket.has_open_upload("video").await);
}

/// A way to the store that breaks in the middle of the first `breaks` requests with a long body.
async fn proxy(breaks: Arc<AtomicUsize>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(forward(client, Arc::clone(&breaks)));
        }
    });
    format!("http://{address}")
}

async fn forward(mut client: TcpStream, breaks: Arc<AtomicUsize>) -> std::io::Result<()> {
    let endpoint = testkit::environment::s3_endpoint();
    let mut store = TcpStream::connect(endpoint.trim_start_matches("http://")).await?;
    let (mut seen, mut buffer) = (0, vec![0; 64 << 10]);
    while seen < MIB {
        tokio::select! {
            read = client.read(&mut buffer) => {
                let read = read?;
                if read == 0 {
                    return Ok(());
                }
                seen += read;
                store.write_all(&buffer[..read]).await?;
            }
            () = async { store.readable().await.unwrap() } => {
                let read = match store.try_read(&mut buffer) {
                    Ok(0) => return Ok(()),
                    Ok(read) => read,
                    Err(_) => continue,
                };
                client.write_all(&buffer[..read]).await?;
            }
        }
    }
    let left = breaks.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
    if left.is_err() {
        copy_bidirectional(&mut client, &mut store).await?;
    }
    Ok(())
}
