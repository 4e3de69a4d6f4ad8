//! A bucket for one test, in the real object store.
//!
//! The futures of the client nest so deeply that a test which awaits one directly reaches a limit of the compiler; so they are `boxed`.

use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _};
use http::Method;
use minio::s3::{
    MinioClient, MinioClientBuilder,
    creds::StaticProvider,
    multimap_ext::{Multimap, MultimapExt},
    types::{BucketName, S3Api, S3Request, ToStream},
};
use tokio::sync::OnceCell;

use crate::{database::blocking, environment, names};

/// Emptied and removed when the value goes.
#[derive(Debug)]
pub struct Bucket {
    name: String,
}

impl Bucket {
    /// An empty bucket.
    pub async fn create() -> Self {
        static SWEPT: OnceCell<()> = OnceCell::const_new();
        SWEPT.get_or_init(|| sweep().boxed()).await;
        let name = names::unique('-');
        make(&name).boxed().await;
        Self { name }
    }

    /// `dt-…`
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Keys of all objects but the video service's marker of the bucket, and the pictures that are drawn for whoever has sent none, sorted.
    pub async fn keys(&self) -> Vec<String> {
        let mut keys = keys(&client(), &self.name).boxed().await;
        keys.retain(|key| key != "bucket-id" && !key.starts_with("pictures/drawn/"));
        keys
    }

    /// Keys of all multipart uploads that are neither completed nor aborted, sorted. MinIO tells none here: see [`Self::has_open_upload`].
    pub async fn open_uploads(&self) -> Vec<String> {
        self.open_uploads_from("").await
    }

    /// Whether a multipart upload of this key is neither completed nor aborted.
    pub async fn has_open_upload(&self, key: &str) -> bool {
        let keys = self.open_uploads_from(key).await;
        keys.iter().any(|open| open == key)
    }

    async fn open_uploads_from(&self, prefix: &str) -> Vec<String> {
        let mut keys: Vec<String> = open_uploads(&client(), &self.name, prefix)
            .boxed()
            .await
            .into_iter()
            .map(|(key, _)| key)
            .collect();
        keys.sort();
        keys
    }

    /// Stores an object.
    pub async fn put(&self, key: &str, content: Vec<u8>) {
        client()
            .put_object(&*self.name, key, Bytes::from(content).into())
            .expect("an object key")
            .build()
            .send()
            .boxed()
            .await
            .expect("store an object");
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        let name = std::mem::take(&mut self.name);
        blocking(async move { remove(&client(), &name).await });
    }
}

/// Removes the buckets of test runs that were killed.
async fn sweep() {
    let client = client();
    let answer = match client.list_buckets().build().send().await {
        Ok(answer) => answer,
        Err(error) => panic!("the test object store does not answer ({error}): run `make test`"),
    };
    for bucket in answer.buckets().expect("a list of buckets") {
        let name = bucket.name.to_string();
        if names::is_left_over(&name, '-') {
            remove(&client, &name).await;
        }
    }
}

async fn make(bucket: &str) {
    let request = client()
        .create_bucket(bucket)
        .expect("a bucket name")
        .build();
    if let Err(error) = request.send().await {
        panic!("the test object store does not answer ({error}): run `make test`");
    }
}

fn client() -> MinioClient {
    let endpoint = environment::s3_endpoint();
    let keys = StaticProvider::new(
        &environment::s3_access_key(),
        &environment::s3_secret_key(),
        None,
    );
    MinioClientBuilder::new(endpoint.parse().expect("the object store's address"))
        .provider(Some(keys))
        .skip_region_lookup(true)
        .build()
        .expect("a client of the object store")
}

async fn keys(client: &MinioClient, bucket: &str) -> Vec<String> {
    let mut pages = client
        .list_objects(bucket)
        .expect("a bucket name")
        .recursive(true)
        .build()
        .to_stream()
        .await;
    let mut keys = Vec::new();
    while let Some(page) = pages.next().await {
        keys.extend(
            page.expect("a list of objects")
                .contents
                .into_iter()
                .map(|entry| entry.name.to_string()),
        );
    }
    keys.sort();
    keys
}

/// `(key, upload id)`; the crate has no call for this list, so it is asked for by hand.
async fn open_uploads(client: &MinioClient, bucket: &str, prefix: &str) -> Vec<(String, String)> {
    let mut query = Multimap::new();
    query.add("uploads", "");
    query.add("prefix", prefix);
    let answer = S3Request::builder()
        .client(client.clone())
        .method(Method::GET)
        .bucket(BucketName::new(bucket).expect("a bucket name"))
        .query_params(query)
        .build()
        .execute()
        .await
        .expect("a list of uploads");
    let xml = answer.text().await.expect("a list of uploads");
    xml.split("<Upload>")
        .skip(1)
        .map(|upload| (tag(upload, "Key"), tag(upload, "UploadId")))
        .collect()
}

fn tag(xml: &str, name: &str) -> String {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let start = xml.find(&open).expect("the tag") + open.len();
    let end = xml.find(&close).expect("the tag's end");
    xml[start..end].to_owned()
}

async fn remove(client: &MinioClient, bucket: &str) {
    for (key, upload) in open_uploads(client, bucket, "").await {
        let _ = client
            .abort_multipart_upload(bucket, key, upload)
            .expect("an upload")
            .build()
            .send()
            .await;
    }
    for key in keys(client, bucket).await {
        let _ = client
            .delete_object(bucket, &*key)
            .expect("a key")
            .build()
            .send()
            .await;
    }
    let _ = client
        .delete_bucket(bucket)
        .expect("a bucket name")
        .build()
        .send()
        .await;
}
