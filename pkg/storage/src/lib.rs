//! The object store by the S3 API: streamed uploads and presigned URLs.
//!
//! It works on one bucket and doesn't know what the objects mean. Every request has a time limit, and it is retried only where that is
//! harmless. No error and no log line contains a URL or a signature.

mod call;
mod error;
mod upload;
mod url_cache;
mod urls;

use std::{fmt, sync::Arc};

use bytes::Bytes;
use futures::StreamExt;
use http::{Method, header::CONTENT_TYPE};
use minio::s3::{
    MinioClient, MinioClientBuilder,
    builders::{PutObject, UploadPart},
    creds::StaticProvider,
    error::{Error as S3Error, ValidationErr},
    http::BaseUrl,
    multimap_ext::{Multimap, MultimapExt},
    response_traits::HasS3Fields,
    segmented_bytes::SegmentedBytes,
    types::{BucketName, ObjectKey, Region, S3Api, S3Request, ToStream},
    utils::{UtcTime, from_iso8601utc},
};
use settings::ObjectStore;
use xmltree::Element;

use call::{BULK, ONCE, QUICK, call};
pub use error::{SendError, StorageError};
use url_cache::UrlCache;

/// A bucket in the object store. Cheap to clone; clones share connections and signed URLs.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    client: MinioClient,
    /// Only signs URLs, with the host that viewers use.
    public: MinioClient,
    bucket: BucketName,
    url_cache: UrlCache,
}

/// The metadata of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stat {
    /// Its length.
    pub size_bytes: u64,
    /// As given when it was stored.
    pub content_type: String,
}

/// An object in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredObject {
    /// Its name in the bucket.
    pub key: String,
    /// Its length.
    pub size_bytes: u64,
    /// When it was stored, by the store's clock.
    pub modified_ms: i64,
}

/// A multipart upload that was neither completed nor aborted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenUpload {
    /// The object that it would become.
    pub key: String,
    /// Its id, for [`Store::abort_multipart`].
    pub upload_id: String,
    /// When it was begun, by the store's clock.
    pub begun_ms: i64,
}

impl Store {
    /// Makes no request; an error names the setting.
    pub fn new(settings: &ObjectStore) -> Result<Self, StorageError> {
        let client = |key, endpoint: &str| {
            let invalid = |error: String| StorageError::Settings { key, reason: error };
            // Browsers send the host in lower case, and the signature covers it.
            let mut url: BaseUrl = endpoint
                .to_ascii_lowercase()
                .parse()
                .map_err(|error: ValidationErr| invalid(error.to_string()))?;
            // With the region in the URL the library never asks the store for it.
            url.region =
                Region::new(&*settings.region).map_err(|error| StorageError::Settings {
                    key: "region",
                    reason: error.to_string(),
                })?;
            let keys = StaticProvider::new(
                settings.access_key.expose(),
                settings.secret_key.expose(),
                None,
            );
            MinioClientBuilder::new(url)
                .provider(Some(keys))
                .ssl_cert_file(settings.ca_file.as_deref())
                .build()
                .map_err(|error| invalid(error.to_string()))
        };
        Ok(Self(Arc::new(Inner {
            client: client("endpoint", &settings.endpoint)?,
            public: client("public_endpoint", &settings.public_endpoint)?,
            bucket: BucketName::new(&*settings.bucket).map_err(|error| StorageError::Settings {
                key: "bucket",
                reason: error.to_string(),
            })?,
            url_cache: UrlCache::new(settings.url_ttl_s),
        })))
    }

    /// Creates the bucket if it doesn't exist. Several processes may do so at once.
    pub async fn ensure_bucket(&self) -> Result<(), StorageError> {
        if self.bucket_exists().await? {
            return Ok(());
        }
        let created = call("create bucket", QUICK, async || {
            self.client()
                .create_bucket(self.bucket())?
                .build()
                .send()
                .await
        });
        match created.await {
            Ok(_) => Ok(()),
            // Another process may have created it meanwhile.
            Err(StorageError::Refused { .. } | StorageError::Unavailable { .. })
                if self.bucket_exists().await? =>
            {
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Succeeds if the store answers, accepts the account and has the bucket. Not retried, because readiness asks again soon.
    pub async fn ping(self) -> Result<(), StorageError> {
        const OPERATION: &str = "ping";
        let exists = call(OPERATION, ONCE, async || {
            let answer = self.client().bucket_exists(self.bucket())?.build().send();
            Ok(answer.await?.exists())
        });
        if exists.await? {
            Ok(())
        } else {
            Err(StorageError::refused(OPERATION, "no such bucket"))
        }
    }

    async fn bucket_exists(&self) -> Result<bool, StorageError> {
        let answer = call("find bucket", QUICK, async || {
            self.client()
                .bucket_exists(self.bucket())?
                .build()
                .send()
                .await
        });
        Ok(answer.await?.exists())
    }

    /// Stores a small object, and replaces one with the same key.
    pub async fn put(
        &self,
        key: &str,
        content: Bytes,
        content_type: &str,
    ) -> Result<(), StorageError> {
        let stored = call("put", BULK, async || {
            // The library's `put_object` takes no content type.
            let object = UploadPart::builder()
                .client(self.client().clone())
                .bucket(self.bucket().clone())
                .object(ObjectKey::new(key)?)
                .data(Arc::new(SegmentedBytes::from(content.clone())))
                .content_type(content_type.to_owned())
                .build();
            PutObject::builder().inner(object).build().send().await
        });
        stored.await.map(drop)
    }

    /// Deletes an object. A missing object is no error.
    pub async fn delete(&self, key: &str) -> Result<(), StorageError> {
        let deleted = call("delete", QUICK, async || {
            self.client()
                .delete_object(self.bucket(), key)?
                .build()
                .send()
                .await
        });
        match deleted.await {
            Ok(_) | Err(StorageError::NotFound { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Size and type of an object, if there is one.
    pub async fn stat(&self, key: &str) -> Result<Option<Stat>, StorageError> {
        let found = call("stat", QUICK, async || {
            let answer = self
                .client()
                .stat_object(self.bucket(), key)?
                .build()
                .send()
                .await?;
            let content_type = answer.headers().get(CONTENT_TYPE);
            Ok(Stat {
                size_bytes: answer.size()?,
                content_type: content_type
                    .and_then(|value| value.to_str().ok())
                    .unwrap_or_default()
                    .to_owned(),
            })
        });
        match found.await {
            Ok(stat) => Ok(Some(stat)),
            Err(StorageError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// `len` bytes from `offset` on, fewer where the object ends; an `offset` at or beyond its end is refused. All of it is held
    /// in memory.
    pub async fn read_range(
        &self,
        key: &str,
        offset: u64,
        len: u64,
    ) -> Result<Bytes, StorageError> {
        const OPERATION: &str = "read";
        if len == 0 {
            return Ok(Bytes::new());
        }
        let content = call(OPERATION, BULK, async || {
            let answer = self
                .client()
                .get_object(self.bucket(), key)?
                .offset(offset)
                .length(len)
                .build()
                .send()
                .await?;
            // A store that doesn't support ranges would send everything.
            if answer.object_size()? > len {
                return Ok(None);
            }
            answer.into_bytes().await.map(Some)
        });
        let refused = || StorageError::refused(OPERATION, "range ignored");
        content.await?.ok_or_else(refused)
    }

    /// At most `limit` (1 to 1000) objects whose keys begin with `prefix` and come after `after`, in the order of their keys.
    pub async fn list(
        &self,
        prefix: &str,
        after: &str,
        limit: u16,
    ) -> Result<Vec<StoredObject>, StorageError> {
        let page = call("list objects", QUICK, async || {
            let mut pages = self
                .client()
                .list_objects(self.bucket())?
                .recursive(true)
                .prefix(prefix.to_owned())
                .start_after((!after.is_empty()).then(|| after.to_owned()))
                .max_keys(limit)
                .build()
                .to_stream()
                .await;
            pages.next().await.transpose()
        });
        let entries = page.await?.map(|page| page.contents).unwrap_or_default();
        Ok(entries
            .into_iter()
            .map(|entry| StoredObject {
                key: entry.name,
                size_bytes: entry.size.unwrap_or_default(),
                modified_ms: entry
                    .last_modified
                    .map_or(0, |time| time.timestamp_millis()),
            })
            .collect())
    }

    /// Open uploads whose keys begin with `prefix`: the first 1000; abort them to see more. MinIO tells only those whose key is `prefix`.
    pub async fn list_uploads(&self, prefix: &str) -> Result<Vec<OpenUpload>, StorageError> {
        // The library has no call of its own for this.
        let list = call("list uploads", QUICK, async || {
            let mut query = Multimap::new();
            query.add("uploads", "");
            query.add("prefix", prefix);
            let answer = S3Request::builder()
                .client(self.client().clone())
                .method(Method::GET)
                .bucket(self.bucket().clone())
                .query_params(query)
                .build()
                .execute()
                .await?;
            let body = answer.bytes().await.map_err(ValidationErr::from)?;
            Element::parse(body.as_ref()).map_err(|error| S3Error::from(ValidationErr::from(error)))
        });
        let list = list.await?;
        let uploads = list.children.iter().filter_map(|node| node.as_element());
        Ok(uploads
            .filter(|element| element.name == "Upload")
            .map(|upload| {
                let text = |name| {
                    let text = upload.get_child(name).and_then(Element::get_text);
                    text.unwrap_or_default().into_owned()
                };
                let begun: Option<UtcTime> = from_iso8601utc(&text("Initiated")).ok();
                OpenUpload {
                    key: text("Key"),
                    upload_id: text("UploadId"),
                    begun_ms: begun.map_or(0, |time| time.timestamp_millis()),
                }
            })
            .collect())
    }

    fn client(&self) -> &MinioClient {
        &self.0.client
    }

    fn public(&self) -> &MinioClient {
        &self.0.public
    }

    fn bucket(&self) -> &BucketName {
        &self.0.bucket
    }

    fn url_cache(&self) -> &UrlCache {
        &self.0.url_cache
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("bucket", &self.0.bucket.as_str())
            .finish_non_exhaustive()
    }
}
