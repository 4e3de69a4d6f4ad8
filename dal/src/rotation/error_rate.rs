//! The share of failures among a server's latest answers. A single slow query says nothing; if half of all fail, the server is ejected.

use std::time::{Duration, Instant};

/// What is counted is one to two of these old.
const HALF_WINDOW: Duration = Duration::from_secs(2);
/// Fewer failures than this say nothing.
const MIN_FAILURES: u32 = 5;

#[derive(Debug, Default)]
pub(super) struct ErrorRate {
    /// When the newer half began.
    since: Option<Instant>,
    newer: Tally,
    older: Tally,
}

#[derive(Debug, Default, Clone, Copy)]
struct Tally {
    all: u32,
    failed: u32,
}

impl ErrorRate {
    /// An answer at `now`; whether it is one failure too many.
    pub(super) fn add(&mut self, now: Instant, failed: bool) -> bool {
        self.forget(now);
        self.newer.all = self.newer.all.saturating_add(1);
        self.newer.failed = self.newer.failed.saturating_add(u32::from(failed));
        let all = self.newer.all.saturating_add(self.older.all);
        let failures = self.newer.failed.saturating_add(self.older.failed);
        failed && failures >= MIN_FAILURES && failures >= all.div_ceil(2)
    }

    fn forget(&mut self, now: Instant) {
        let age = self.since.map(|since| now.saturating_duration_since(since));
        match age {
            Some(age) if age < HALF_WINDOW => return,
            Some(age) if age < 2 * HALF_WINDOW => self.older = std::mem::take(&mut self.newer),
            _ => *self = Self::default(),
        }
        self.since = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(rate: &mut ErrorRate, now: Instant, answers: &[bool]) -> bool {
        // Each is added, also after the first that is one too many.
        let too_many = answers.iter().filter(|failed| rate.add(now, **failed));
        too_many.count() > 0
    }

    #[test]
    fn one_slow_query_is_nothing_and_neither_are_a_few_among_many() {
        let (mut rate, now) = (ErrorRate::default(), Instant::now());
        assert!(!rate.add(now, true));
        assert!(!fails(&mut rate, now, &[false; 20]));
        assert!(!fails(&mut rate, now, &[true; 10]), "11 of 31");
    }

    #[test]
    fn half_of_all_is_too_much() {
        let (mut rate, now) = (ErrorRate::default(), Instant::now());
        assert!(!fails(&mut rate, now, &[true; 4]));
        assert!(rate.add(now, true));
        let mut rate = ErrorRate::default();
        assert!(!fails(&mut rate, now, &[false; 6]));
        assert!(fails(&mut rate, now, &[true; 6]));
    }

    #[test]
    fn what_failed_long_ago_is_forgotten() {
        let (mut rate, now) = (ErrorRate::default(), Instant::now());
        assert!(!fails(&mut rate, now, &[true; 4]));
        assert!(!rate.add(now + 2 * HALF_WINDOW, true));
        let mut rate = ErrorRate::default();
        assert!(!fails(&mut rate, now, &[true; 4]));
        assert!(rate.add(now + HALF_WINDOW, true), "still of the window");
    }
}
