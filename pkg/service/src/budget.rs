//! The retry budget of a client: it bounds how much load retries add to a service in trouble.
//!
//! Each call adds a fraction of a retry to the budget, and each retry takes a whole one. The budget has a maximum.

use std::sync::atomic::{AtomicU64, Ordering};

/// The price of a retry; each call adds `percent` to the budget.
const REPETITION: u64 = 100;

#[derive(Debug)]
pub(crate) struct RetryBudget {
    per_call: u64,
    max: u64,
    left: AtomicU64,
}

impl RetryBudget {
    /// Allows retries of `percent` of the calls, and a burst of `burst` retries.
    pub(crate) fn new(percent: u32, burst: u32) -> Self {
        let max = u64::from(burst) * REPETITION;
        Self {
            per_call: u64::from(percent),
            // Without a burst the budget must still hold one retry.
            max: max.max(if percent == 0 { 0 } else { REPETITION }),
            left: AtomicU64::new(max),
        }
    }

    /// A call begins.
    pub(crate) fn pay_in(&self) {
        let pay = |left: u64| (left < self.max).then(|| (left + self.per_call).min(self.max));
        // It fails when the budget is full.
        let _ = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, pay);
    }

    /// Whether a retry is allowed now.
    pub(crate) fn has_some(&self) -> bool {
        self.left.load(Ordering::Relaxed) >= REPETITION
    }

    /// Takes a retry from the budget. False if none is left.
    pub(crate) fn take(&self) -> bool {
        let take = |left: u64| left.checked_sub(REPETITION);
        self.left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many retries calls get that all want two.
    fn repetitions(budget: &RetryBudget, calls: usize) -> usize {
        let attempts = (0..calls).map(|_| {
            budget.pay_in();
            (0..2).filter(|_| budget.take()).count()
        });
        attempts.sum()
    }

    #[test]
    fn a_part_of_the_calls_is_repeated_and_a_burst_before() {
        let budget = RetryBudget::new(10, 20);
        // At the first call the budget is full, so it adds nothing.
        assert_eq!(repetitions(&budget, 1000), 20 + 99);
        assert_eq!(repetitions(&budget, 1000), 100);
        // The budget holds no more than the burst.
        for _ in 0..1000 {
            budget.pay_in();
        }
        assert_eq!(repetitions(&budget, 100), 20 + 9);
    }

    #[test]
    fn none_and_all_are_parts_too() {
        assert_eq!(repetitions(&RetryBudget::new(0, 0), 100), 0);
        assert_eq!(repetitions(&RetryBudget::new(0, 5), 100), 5);
        assert_eq!(repetitions(&RetryBudget::new(10, 0), 100), 10);
        assert_eq!(repetitions(&RetryBudget::new(100, 0), 100), 100);
    }
}
