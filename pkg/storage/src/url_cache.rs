//! A bounded cache of presigned play URLs, so that a page needn't sign them again.

use std::sync::Arc;

use quick_cache::sync::Cache;

/// Most cached URLs: about 10 MB.
const MAX_ENTRIES: usize = 16_384;

/// Presigned play URLs by key, each with the time of its signature in seconds since 1970.
#[derive(Debug)]
pub(crate) struct UrlCache {
    pub(crate) signed: Cache<Box<str>, (Arc<str>, u64)>,
    /// How long a new URL lives, in seconds.
    pub(crate) ttl_s: u32,
}

impl UrlCache {
    pub(crate) fn new(ttl_s: u32) -> Self {
        let signed = Cache::new(MAX_ENTRIES);
        Self { signed, ttl_s }
    }
}
