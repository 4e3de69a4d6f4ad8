//! Every request to the store goes through here: it has a time limit, and it is retried only where that is harmless.

use std::time::Duration;

use minio::s3::error::Error as S3Error;
use telemetry::{
    metrics::{self, StoreOutcome},
    trace,
};
use tokio::time::{self, Instant};
use tracing::Instrument as _;

use crate::StorageError;

/// The timeout of an attempt and the number of attempts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    attempt: Duration,
    attempts: u32,
}

/// For metadata. At most 6.2 s in all.
pub(crate) const QUICK: Limit = Limit::new(3, 2);
/// For requests that must not be repeated.
pub(crate) const ONCE: Limit = Limit::new(5, 1);
/// For requests that move or assemble content. At most 20.2 s in all.
pub(crate) const BULK: Limit = Limit::new(10, 2);
/// For a part, up to 64 MiB. At most 90.6 s in all.
pub(crate) const PART: Limit = Limit::new(30, 3);

impl Limit {
    const fn new(attempt_s: u64, attempts: u32) -> Self {
        let attempt = Duration::from_secs(attempt_s);
        Self { attempt, attempts }
    }
}

/// Sends a request, and repeats it while the store is unavailable, as often as `limit` allows.
pub(crate) async fn call<T, F>(
    operation: &'static str,
    limit: Limit,
    request: impl Fn() -> F,
) -> Result<T, StorageError>
where
    F: Future<Output = Result<T, S3Error>>,
{
    let start = Instant::now();
    let span = trace::call("object store", operation);
    let work = attempts(operation, limit, request).instrument(span.clone());
    let result = work.await;
    let outcome = match &result {
        Ok(_) => StoreOutcome::Ok,
        Err(StorageError::NotFound { .. }) => StoreOutcome::NotFound,
        Err(StorageError::Unavailable { .. }) => StoreOutcome::Unavailable,
        Err(StorageError::Refused { .. } | StorageError::Settings { .. }) => StoreOutcome::Refused,
    };
    if outcome == StoreOutcome::Unavailable {
        trace::failed(&span);
    }
    metrics::store_request(operation, outcome, start.elapsed());
    result
}

async fn attempts<T, F>(
    operation: &'static str,
    limit: Limit,
    request: impl Fn() -> F,
) -> Result<T, StorageError>
where
    F: Future<Output = Result<T, S3Error>>,
{
    let mut attempt = 1;
    loop {
        let error = match time::timeout(limit.attempt, request()).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(error)) => StorageError::from_s3(operation, error),
            Err(_) => StorageError::unavailable(operation, "timed out"),
        };
        if attempt == limit.attempts || !matches!(error, StorageError::Unavailable { .. }) {
            return Err(error);
        }
        tracing::warn!(%error, attempt, "object store: trying again");
        metrics::store_retried(operation);
        time::sleep(Duration::from_millis(100) * 2_u32.pow(attempt)).await;
        attempt += 1;
    }
}
