//! Checks that bucket and database belong together: a marker object in the bucket holds a UUID, and a row has the same. With any other
//! bucket the reaper would take every object for a leftover.

use bytes::Bytes;
use uuid::Uuid;

use super::error::ReapError;
use crate::{object_key, uploads::Uploads};

/// Rows or objects in one request.
pub(super) const PAGE: u16 = 250;

/// Name of the marker object; also in `scripts/lib/backup.sh` and `rpc/user/src/pictures/bucket.rs`.
const MARKER: &str = "bucket-id";
const MARKER_TYPE: &str = "text/plain";
/// The longest marker that is read, in bytes; ours have 36.
const MAX_MARKER: u64 = 100;

/// The end of every refusal.
pub(crate) const ADOPT: &str =
    "nothing is removed; when they do belong together: make reap ARGS=--adopt";

/// Refuses a bucket that doesn't belong to this database. The first time it binds the two, if the bucket is empty or the database knows one of
/// its first objects.
pub(super) async fn check(uploads: &Uploads) -> Result<(), ReapError> {
    let binding = dal::reaper::binding(&uploads.db).await?;
    let marker = marker(uploads).await?;
    match (binding, marker) {
        (Some(binding), Some(marker)) if binding.marker == marker => {
            if !binding.is_complete {
                dal::reaper::finish_binding(&uploads.db).await?;
            }
            Ok(())
        }
        (Some(binding), Some(marker)) => Err(not_ours(format!(
            "the database is bound to the bucket {}, and this is the bucket {marker}",
            binding.marker
        ))),
        (None, Some(marker)) => Err(not_ours(format!(
            "this is the bucket {marker}, and the database is bound to none: it is new, restored from before, or another"
        ))),
        (Some(binding), None) if binding.is_complete => Err(not_ours(format!(
            "the database is bound to the bucket {}, and this bucket has no object {MARKER}: it is new, was emptied, or is another",
            binding.marker
        ))),
        (_, None) => {
            let objects = uploads.store.list(object_key::VIDEOS, "", PAGE).await?;
            let keys: Vec<String> = objects.into_iter().map(|object| object.key).collect();
            let known = dal::reaper::known(&uploads.db, &keys).await?;
            if !keys.is_empty() && known.is_empty() {
                return Err(not_ours(format!(
                    "the database knows none of the first {} videos in the bucket: it is empty, or another bucket's",
                    keys.len()
                )));
            }
            bind(uploads).await
        }
    }
}

/// Whether the bucket certainly isn't this database's. One that was never bound may be.
pub(crate) async fn is_bound_elsewhere(uploads: &Uploads) -> Result<bool, ReapError> {
    let binding = dal::reaper::binding(&uploads.db).await?;
    let marker = marker(uploads).await?;
    Ok(match (binding, marker) {
        (Some(binding), Some(marker)) => binding.marker != marker,
        (Some(binding), None) => binding.is_complete,
        (None, marker) => marker.is_some(),
    })
}

/// Binds bucket and database, whatever they were bound to.
pub(super) async fn bind(uploads: &Uploads) -> Result<(), ReapError> {
    let marker = Uuid::new_v4().to_string();
    dal::reaper::begin_binding(&uploads.db, &marker).await?;
    let content = Bytes::from(marker.clone());
    uploads.store.put(MARKER, content, MARKER_TYPE).await?;
    dal::reaper::finish_binding(&uploads.db).await?;
    tracing::info!(
        marker,
        "the database and the bucket are bound to each other"
    );
    Ok(())
}

async fn marker(uploads: &Uploads) -> Result<Option<String>, ReapError> {
    let Some(stat) = uploads.store.stat(MARKER).await? else {
        return Ok(None);
    };
    let length = stat.size_bytes.min(MAX_MARKER);
    let content = uploads.store.read_range(MARKER, 0, length).await?;
    Ok(Some(String::from_utf8_lossy(&content).trim().to_owned()))
}

fn not_ours(why: String) -> ReapError {
    ReapError::Stopped(format!("{why}; {ADOPT}"))
}
