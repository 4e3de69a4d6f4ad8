//! Whether the bucket is this database's. The video service binds the two (`rpc/video/src/reaper/bucket.rs`); here they are only compared.

use dal::Db;
use service::BoxError;
use storage::Store;

/// Name of the marker object; also in `rpc/video/src/reaper/bucket.rs`.
const MARKER: &str = "bucket-id";
/// The longest marker that is read, in bytes; ours have 36.
const MAX_MARKER: u64 = 100;

/// Whether the bucket certainly isn't this database's. One that was never bound may be.
pub(super) async fn is_bound_elsewhere(db: &Db, store: &Store) -> Result<bool, BoxError> {
    let binding = dal::reaper::binding(db).await?;
    let marker = marker(store).await?;
    Ok(match (binding, marker) {
        (Some(binding), Some(marker)) => binding.marker != marker,
        (Some(binding), None) => binding.is_complete,
        (None, marker) => marker.is_some(),
    })
}

async fn marker(store: &Store) -> Result<Option<String>, BoxError> {
    let Some(stat) = store.stat(MARKER).await? else {
        return Ok(None);
    };
    let length = stat.size_bytes.min(MAX_MARKER);
    let content = store.read_range(MARKER, 0, length).await?;
    Ok(Some(String::from_utf8_lossy(&content).trim().to_owned()))
}
