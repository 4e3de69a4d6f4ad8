//! A store behind TLS, with a certificate that the test makes.

use std::convert::Infallible;

use bytes::Bytes;
use futures::stream;
use settings::ObjectStore;
use storage::{Stat, Store};
use testkit::{Bucket, Certificates, TlsProxy, environment};

use crate::support::{content, settings};

#[tokio::test(flavor = "multi_thread")]
async fn a_store_by_tls_is_used_where_its_certificate_is_trusted() {
    let (certificates, bucket) = (Certificates::make(), Bucket::create().await);
    let endpoint = environment::s3_endpoint();
    let proxy = TlsProxy::before(endpoint.trim_start_matches("http://"), &certificates).await;
    let trusting = |ca_file| ObjectStore {
        endpoint: proxy.url(),
        ca_file,
        ..settings(bucket.name())
    };
    let store = Store::new(&trusting(Some(certificates.ca()))).unwrap();
    store.clone().ping().await.unwrap();
    let small = Bytes::from_static(b"0123456789");
    store
        .put("small", small.clone(), "text/plain")
        .await
        .unwrap();
    assert_eq!(store.read_range("small", 3, 4).await.unwrap(), "3456");
    let (key, large) = ("large", Bytes::from(content(6 << 20)));
    let upload_id = store.begin_multipart(key, "video/mp4").await.unwrap();
    let chunks = large.chunks(100_000).map(Bytes::copy_from_slice);
    let chunks: Vec<Result<Bytes, Infallible>> = chunks.map(Ok).collect();
    let sent = store.send_parts(key, &upload_id, None, stream::iter(chunks), 5 << 20);
    sent.await.unwrap();
    let stat = Stat {
        size_bytes: large.len() as u64,
        content_type: "video/mp4".to_owned(),
    };
    assert_eq!(store.stat(key).await.unwrap(), Some(stat));

    for ca_file in [None, Some(Certificates::make().ca())] {
        let stranger = Store::new(&trusting(ca_file)).unwrap();
        let error = stranger.ping().await.unwrap_err().to_string();
        assert!(error.contains("UnknownIssuer"), "{error}");
        assert!(error.contains("tls.ca_file"), "{error}");
    }
}
