//! The retry budget of a client: it bounds how much load retries add to a service in trouble.
//!
//! Each call adds a fraction of a retry to the budget, and each retry takes a whole one. The budget has a maximum.

use std::sync::atomic::{AtomicU64, Ordering};

/// A repetition, in what calls pay in: a hundredth of it is a percent.
const REPETITION: u64 = 100;

#[derive(Debug)]
pub(crate) struct RetryBudget {
    per_call: u64,
    max: u64,
    left: AtomicU64,
}

impl RetryBudget {
    /// `percent` of the calls may be repeated, and `burst` repetitions at once before that.
    pub(crate) fn new(percent: u32, burst: u32) -> Self {
        let max = u64::from(burst) * REPETITION;
        Self {
            per_call: u64::from(percent),
            // Without a burst there must still be room for what is saved for one.
            max: max.max(if percent == 0 { 0 } else { REPETITION }),
            left: AtomicU64::new(max),
        }
    }

    /// A call begins.
    pub(crate) fn pay_in(&self) {
        let pay = |left: u64| (left < self.max).then(|| (left + self.per_call).min(self.max));
        // It fails when nothing more may be saved.
        let _ = self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, pay);
    }

    /// Whether a call might be repeated now.
    pub(crate) fn has_some(&self) -> bool {
        self.left.load(Ordering::Relaxed) >= REPETITION
    }

    /// Takes a repetition out; false: there is none left.
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

    /// Calls that all want to be repeated twice; how many repetitions they get.
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
        // The first call finds it full, and pays nothing in.
        assert_eq!(repetitions(&budget, 1000), 20 + 99);
        assert_eq!(repetitions(&budget, 1000), 100);
        // No more is saved than the burst.
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
