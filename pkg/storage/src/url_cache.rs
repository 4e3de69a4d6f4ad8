//! A bounded cache of presigned play URLs, so that a page needn't sign them again.

use std::sync::Arc;

use quick_cache::sync::Cache;

/// Play URLs remembered at most: about 10 MB.
const REMEMBERED: usize = 16_384;

/// Play URLs that were signed, each with the second (since 1970) as of which it was signed.
#[derive(Debug)]
pub(crate) struct UrlCache {
    pub(crate) signed: Cache<Box<str>, (Arc<str>, u64)>,
    /// How long a new URL lives, in seconds.
    pub(crate) ttl_s: u32,
}

impl UrlCache {
    pub(crate) fn new(ttl_s: u32) -> Self {
        let signed = Cache::new(REMEMBERED);
        Self { signed, ttl_s }
    }
}
