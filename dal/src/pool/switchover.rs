//! Which connections may lead to a primary that is one no longer: after a switchover the old server lives on, read-only, and what
//! is connected to it stays so.
//!
//! Three things end that: a connection that refused a write, or that was opened before a move was noticed, isn't used again; one
//! that was idle is asked before use; none lives for long ([`super::PRIMARY_LIFE`]).

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// A server that refuses every write makes nobody connect anew more often than this.
const REFUSAL_PERIOD: Duration = Duration::from_secs(1);

/// What a process knows of its connections to the primary; shared by all pools that lead there.
#[derive(Debug)]
pub(crate) struct Switchover {
    start: Instant,
    /// What was opened before is retired; in nanoseconds after the start, 0: nothing is.
    retired_before: AtomicU64,
    is_read_only: AtomicBool,
}

impl Default for Switchover {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            retired_before: AtomicU64::new(0),
            is_read_only: AtomicBool::new(false),
        }
    }
}

impl Switchover {
    /// A write was refused on a connection: all that are open by now are retired.
    pub(crate) fn refused(&self) {
        let (now, before) = (self.now(), self.retired_before.load(Ordering::Relaxed));
        if before == 0 || Duration::from_nanos(now.saturating_sub(before)) >= REFUSAL_PERIOD {
            self.retired_before.fetch_max(now, Ordering::Relaxed);
        }
    }

    /// The address leads to another server by now: all that are open are retired.
    pub(crate) fn moved(&self) {
        self.retired_before.fetch_max(self.now(), Ordering::Relaxed);
    }

    /// Whether each connection must be asked before use: the server that the address leads to is read-only, as it is in the
    /// middle of a switchover.
    pub(crate) fn set_read_only(&self, is_read_only: bool) {
        self.is_read_only.store(is_read_only, Ordering::Relaxed);
    }

    pub(crate) fn is_read_only(&self) -> bool {
        self.is_read_only.load(Ordering::Relaxed)
    }

    /// Whether a connection of this age is retired.
    pub(crate) fn is_retired(&self, age: Duration) -> bool {
        let retired_before = self.retired_before.load(Ordering::Relaxed);
        let age = u64::try_from(age.as_nanos()).unwrap_or(u64::MAX);
        retired_before > 0 && self.now().saturating_sub(age) <= retired_before
    }

    fn now(&self) -> u64 {
        let now = u64::try_from(self.start.elapsed().as_nanos());
        // Not 0, which means never.
        now.unwrap_or(u64::MAX).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_opened_before_a_move_is_retired_and_what_was_opened_after_it_is_not() {
        let switchover = Switchover::default();
        std::thread::sleep(Duration::from_millis(5));
        assert!(!switchover.is_retired(Duration::from_millis(3)));
        switchover.moved();
        assert!(switchover.is_retired(Duration::from_millis(3)));
        std::thread::sleep(Duration::from_millis(5));
        assert!(!switchover.is_retired(Duration::from_millis(1)));
        assert!(switchover.is_retired(Duration::from_millis(6)));
    }

    #[test]
    fn a_server_that_refuses_every_write_is_connected_to_anew_once_a_second() {
        let switchover = Switchover::default();
        switchover.refused();
        std::thread::sleep(Duration::from_millis(5));
        switchover.refused();
        assert!(!switchover.is_retired(Duration::from_millis(1)));
        // A move that was noticed doesn't wait.
        switchover.moved();
        assert!(switchover.is_retired(Duration::from_millis(1)));
    }
}
