//! Keys that must still be deleted, because their state in Redis is unknown.

use std::collections::HashSet;

use tokio::time::Instant;

use crate::KeyGroup;

/// The keys, what else to delete if they are too many, and until when other processes may still trust this one's lease.
#[derive(Default)]
pub(crate) struct Pending {
    pub(crate) keys: HashSet<KeyGroup>,
    /// The keys of the trust in all keys.
    pub(crate) trust: Vec<KeyGroup>,
    /// When the newest lease that was asked for ends.
    pub(crate) lease_ends: Option<Instant>,
}
