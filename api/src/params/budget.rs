//! Bounds the memory that the bodies of all requests take together while they are read as a whole.
//!
//! A stranger may send up to 1 MiB and take seconds for it, on thousands of connections. A body of a few KiB, as clients send them,
//! needs nothing of the budget, so it is never refused for others.

use std::sync::Arc;

use idl::base::Code;
use telemetry::metrics;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::ApiError;

/// The name of this limit in the metrics.
const BODIES: &str = "bodies";
/// What each body has without asking, in bytes.
const FREE_BYTES: usize = 8 << 10;
/// What a permit stands for, in bytes.
const PERMIT_BYTES: usize = 1 << 10;

/// The budget of a process.
pub struct BodyBudget(Arc<Semaphore>);

/// What one body has taken of the budget; given back when this is dropped.
pub struct BodyShare<'a> {
    budget: &'a Semaphore,
    bytes: usize,
    held: Option<SemaphorePermit<'a>>,
}

impl BodyBudget {
    /// So many bytes for all bodies together.
    pub fn new(bytes: usize) -> Self {
        let permits = bytes / PERMIT_BYTES;
        let budget = Arc::new(Semaphore::new(permits));
        metrics::watch_semaphore(BODIES, &budget, permits);
        Self(budget)
    }

    /// For one body, of which nothing has come yet.
    pub fn share(&self) -> BodyShare<'_> {
        BodyShare {
            budget: &self.0,
            bytes: 0,
            held: None,
        }
    }
}

impl BodyShare<'_> {
    /// So many more bytes of the body have come.
    ///
    /// # Errors
    /// The budget is used up by other bodies.
    pub fn add(&mut self, bytes: usize) -> Result<(), ApiError> {
        let before = permits(self.bytes);
        self.bytes = self.bytes.saturating_add(bytes);
        let more = u32::try_from(permits(self.bytes) - before).unwrap_or(u32::MAX);
        let Ok(permit) = self.budget.try_acquire_many(more) else {
            metrics::semaphore_refused(BODIES);
            return Err(ApiError::new(Code::TOO_MANY_REQUESTS));
        };
        match &mut self.held {
            Some(held) => held.merge(permit),
            None => self.held = Some(permit),
        }
        Ok(())
    }
}

/// How many permits a body of so many bytes needs.
fn permits(bytes: usize) -> usize {
    bytes.saturating_sub(FREE_BYTES).div_ceil(PERMIT_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_bodies_share_a_budget_and_small_ones_need_none() {
        let budget = BodyBudget::new(16 << 10);
        let mut large = budget.share();
        for _ in 0..24 {
            assert!(large.add(1 << 10).is_ok());
        }
        let mut other = budget.share();
        assert!(other.add(FREE_BYTES).is_ok());
        let refused = other.add(1).unwrap_err();
        assert_eq!(refused.code(), Code::TOO_MANY_REQUESTS);
        drop(large);
        assert!(other.add(16 << 10).is_ok());
        assert!(budget.share().add(FREE_BYTES).is_ok());
        assert!(budget.share().add(FREE_BYTES + 1).is_err());
        drop(other);
        assert!(budget.share().add(24 << 10).is_ok());
    }
}
