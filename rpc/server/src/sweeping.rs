//! Sweeps what refers to something deleted, in bounded batches and for a bounded time.

use std::time::{Duration, Instant};

use dal::{DalError, Deleted};
use idl::{
    base::{Code, Deletable},
    biz,
};
use volo_thrift::ServerError;

/// Rows in a batch: a transaction of some ten milliseconds, which others can wait for.
const BATCH: u64 = 200;
/// After this no further batch is begun. The caller comes again.
const MAX_SWEEP_TIME: Duration = Duration::from_secs(1);

/// A sweep, from its beginning.
pub struct Sweep(Instant);

impl Sweep {
    /// From now on.
    pub fn begin() -> Self {
        Self(Instant::now())
    }

    /// Runs batches until one isn't full or the time is over. Returns whether something is left.
    ///
    /// A batch is given the number of rows that it may take, and returns how many it took.
    ///
    /// # Errors
    /// Those of a batch.
    pub async fn run<F>(&self, batch: impl Fn(u64) -> F) -> Result<bool, DalError>
    where
        F: Future<Output = Result<u64, DalError>>,
    {
        while self.0.elapsed() < MAX_SWEEP_TIME {
            if batch(BATCH).await? < BATCH {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// What a request names.
///
/// # Errors
/// `BAD_PARAMETER`: a kind that this version doesn't know.
pub fn deletable(kind: Deletable, id: i64) -> Result<Deleted, ServerError> {
    match kind {
        Deletable::VIDEO => Ok(Deleted::Video(id)),
        Deletable::USER => Ok(Deleted::User(id)),
        _ => Err(biz(Code::BAD_PARAMETER, "kind").into()),
    }
}
