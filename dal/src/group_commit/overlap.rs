//! Decides when the next batch may start while the newest one is still committing: after 50 ms, because then a lock or a slow disk is
//! holding that one up. Older batches delay nothing.

use std::time::Duration;

use tokio::time::Instant;

/// How long a batch waits for the one before it: many times what a commit takes.
const OVERLAP_AFTER: Duration = Duration::from_millis(50);

/// Which batch of its queue, counted from 1.
pub(super) type BatchNumber = u64;

/// The newest batch of a queue.
#[derive(Default)]
pub(super) struct LatestBatch {
    number: BatchNumber,
    /// None: it has ended.
    started: Option<Instant>,
}

impl LatestBatch {
    /// The next batch starts now, and is the latest.
    pub(super) fn starts(&mut self, now: Instant) -> BatchNumber {
        self.number += 1;
        self.started = Some(now);
        self.number
    }

    /// A batch has ended, the newest or another.
    pub(super) fn ended(&mut self, number: BatchNumber) {
        if number == self.number {
            self.started = None;
        }
    }

    /// Until when the next batch waits for the newest, unless that one ends before; none: it may start.
    pub(super) fn wait_until(&self, now: Instant) -> Option<Instant> {
        let until = self.started? + OVERLAP_AFTER;
        (now < until).then_some(until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_waits_for_the_one_before_it_until_that_ends_or_has_had_its_time() {
        let start = Instant::now();
        let mut latest = LatestBatch::default();
        assert_eq!(latest.wait_until(start), None);
        let first = latest.starts(start);
        assert_eq!(latest.wait_until(start), Some(start + OVERLAP_AFTER));
        assert_eq!(latest.wait_until(start + OVERLAP_AFTER), None);
        latest.ended(first);
        assert_eq!(latest.wait_until(start), None);
    }

    #[test]
    fn a_batch_that_is_held_up_delays_none_but_the_next() {
        let start = Instant::now();
        let mut latest = LatestBatch::default();
        let held_up = latest.starts(start);
        let later = start + OVERLAP_AFTER;
        let second = latest.starts(later);
        latest.ended(second);
        // The first one is still being committed.
        assert_eq!(latest.wait_until(later), None);
        latest.starts(later);
        latest.ended(held_up);
        assert!(latest.wait_until(later).is_some());
    }
}
