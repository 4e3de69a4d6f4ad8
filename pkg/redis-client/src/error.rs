//! The errors of the client.

/// Redis didn't answer in time, or the client is suspended.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("Redis can't be asked at the moment")]
pub struct Unavailable;

/// `redis.url` can't be used. The URL itself isn't shown, because it may hold a password.
#[derive(Debug, Clone, thiserror::Error)]
#[error("redis.url can't be used: {0}")]
pub struct BadUrl(pub(crate) String);
