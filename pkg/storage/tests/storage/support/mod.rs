//! A store with a bucket for the test, and content for it.
#![allow(dead_code, reason = "each test file uses its part")]

use settings::{ObjectStore, Secret};
use storage::Store;
use testkit::{Bucket, environment};

/// Settings of the test store.
pub fn settings(bucket: &str) -> ObjectStore {
    let endpoint = environment::s3_endpoint();
    ObjectStore {
        // The same server by another name.
        public_endpoint: endpoint.replace("127.0.0.1", "localhost"),
        endpoint,
        region: "us-east-1".to_owned(),
        bucket: bucket.to_owned(),
        access_key: Secret::new(environment::s3_access_key()),
        secret_key: Secret::new(environment::s3_secret_key()),
        url_ttl_s: 600,
        ca_file: None,
    }
}

/// A bucket that goes with the test, and a store on it.
pub async fn store() -> (Bucket, Store) {
    let bucket = Bucket::create().await;
    let store = Store::new(&settings(bucket.name())).unwrap();
    (bucket, store)
}

/// Bytes that don't repeat, so that a part in a wrong place shows.
pub fn content(len: usize) -> Vec<u8> {
    let words = (1..=len as u64 / 8 + 1).map(|i| i.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut content: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
    content.truncate(len);
    content
}
