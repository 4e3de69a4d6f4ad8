//! Replies in gzip, for clients that accept it.

use std::io::Read as _;

use reqwest::Method;
use serde_json::Value;
use testkit::Client;

use crate::{scene::publish_video, shapes::videos, shared_system};

/// The JSON of a reply that came in gzip.
fn unpacked(packed: &[u8]) -> Value {
    let mut text = String::new();
    let mut decoder = flate2::read::GzDecoder::new(packed);
    decoder.read_to_string(&mut text).expect("gzip");
    serde_json::from_str(&text).unwrap()
}

async fn fetch(client: &Client, path: &str, encoding: &str) -> (Option<String>, Vec<u8>) {
    let request = client.request(Method::GET, path);
    let request = request.header("accept-encoding", encoding);
    let answer = request.send().await.unwrap();
    let headers = answer.headers();
    let mut varies = headers.get_all("vary").iter();
    assert!(varies.any(|value| value.as_bytes().eq_ignore_ascii_case(b"accept-encoding")));
    let length = headers["content-length"].to_str().unwrap().to_owned();
    let coding = headers.get("content-encoding");
    let coding = coding.map(|value| value.to_str().unwrap().to_owned());
    let bytes = answer.bytes().await.unwrap().to_vec();
    assert_eq!(length, bytes.len().to_string());
    (coding, bytes)
}

#[tokio::test]
async fn a_large_reply_comes_in_gzip_to_who_takes_it() {
    let system = shared_system().await;
    let client = system.client();
    let author = client.new_account().await;
    for _ in 0..2 {
        publish_video(&client, &author).await;
    }
    let path = format!("/douyin/publish/list/?user_id={}", author.user_id);
    let (coding, plain) = fetch(&client, &path, "identity, gzip;q=0").await;
    assert_eq!(coding, None);
    assert!(plain.len() > 1024);
    for encoding in ["gzip", "gzip, deflate, br", "*"] {
        let (coding, packed) = fetch(&client, &path, encoding).await;
        assert_eq!(coding.as_deref(), Some("gzip"), "{encoding}");
        assert!(packed.len() < plain.len(), "{}", packed.len());
        let reply = unpacked(&packed);
        assert_eq!(videos(&reply).len(), 2);
        assert_eq!(reply, serde_json::from_slice::<Value>(&plain).unwrap());
    }
    let (coding, _) = fetch(&client, "/douyin/comment/list/", "gzip").await;
    assert_eq!(coding, None, "a small reply gains nothing");
    let (coding, _) = fetch(&client, "/openapi.json", "gzip").await;
    assert_eq!(coding.as_deref(), Some("gzip"));
}
