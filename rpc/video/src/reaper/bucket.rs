//! Whether the bucket is this database's: a marker object holds a UUID that a row has, too. A reaper over any other pair would take
//! everything in the bucket for left behind.

use bytes::Bytes;
use uuid::Uuid;

use super::error::ReapError;
use crate::{object_key, uploads::Uploads};

/// Rows or objects in one request.
pub(super) const PAGE: u16 = 250;

/// Beside the videos and covers. `scripts/lib/backup.sh` knows it, too.
const MARKER: &str = "bucket-id";
const MARKER_TYPE: &str = "text/plain";
/// What a marker may have in bytes at most; ours have 36.
const MAX_MARKER: u64 = 100;

/// What every refusal ends with.
const ADOPT: &str = "nothing is removed; when they do belong together: make reap ARGS=--adopt";

/// Refuses a bucket that isn't this database's. The first time, ties them: when the bucket is empty, or the database knows one of its
/// first objects.
pub(super) async fn check(uploads: &Uploads) -> Result<(), ReapError> {
    let tie = dal::leftovers::tie(&uploads.db).await?;
    let marker = marker(uploads).await?;
    match (tie, marker) {
        (Some(tie), Some(marker)) if tie.marker == marker => {
            if !tie.is_made {
                dal::leftovers::finish_tie(&uploads.db).await?;
            }
            Ok(())
        }
        (Some(tie), Some(marker)) => Err(not_ours(format!(
            "the database is tied to the bucket {}, and this is the bucket {marker}",
            tie.marker
        ))),
        (None, Some(marker)) => Err(not_ours(format!(
            "this is the bucket {marker}, and the database is tied to none: it is new, restored from before, or another"
        ))),
        (Some(tie), None) if tie.is_made => Err(not_ours(format!(
            "the database is tied to the bucket {}, and this bucket has no object {MARKER}: it is new, was emptied, or is another",
            tie.marker
        ))),
        (_, None) => {
            let objects = uploads.store.list(object_key::VIDEOS, "", PAGE).await?;
            let keys: Vec<String> = objects.into_iter().map(|object| object.key).collect();
            let known = dal::leftovers::known(&uploads.db, &keys).await?;
            if !keys.is_empty() && known.is_empty() {
                return Err(not_ours(format!(
                    "the database knows none of the first {} videos in the bucket: it is empty, or another bucket's",
                    keys.len()
                )));
            }
            make(uploads).await
        }
    }
}

/// Ties them, whatever they were tied to.
pub(super) async fn make(uploads: &Uploads) -> Result<(), ReapError> {
    let marker = Uuid::new_v4().to_string();
    dal::leftovers::begin_tie(&uploads.db, &marker).await?;
    let content = Bytes::from(marker.clone());
    uploads.store.put(MARKER, content, MARKER_TYPE).await?;
    dal::leftovers::finish_tie(&uploads.db).await?;
    tracing::info!(marker, "the database and the bucket are tied together");
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
