//! Why a pass of the reaper ended early.

use dal::DalError;
use storage::StorageError;

/// Why a pass ended early.
#[derive(Debug, thiserror::Error)]
pub enum ReapError {
    /// What it saw isn't what leftovers look like; in words for the log.
    #[error("{0}")]
    Stopped(String),
    /// The database is away.
    #[error(transparent)]
    Dal(#[from] DalError),
    /// The store is away.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
