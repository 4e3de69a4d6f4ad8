//! Retires connections to a server that is no longer the primary: after a switchover the old server lives on, read-only, with its
//! connections open.
//!
//! A connection isn't used again if it refused a write or was opened before a move was noticed. A connection that was idle is checked before
//! use. None is used for longer than [`super::MAX_CONNECTION_LIFETIME`].

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// A server that refuses every write causes new connections at most once in this time.
const REFUSAL_PERIOD: Duration = Duration::from_secs(1);

/// What a process knows of its connections to the primary; shared by all pools that lead there.
#[derive(Debug)]
pub(crate) struct Switchover {
    start: Instant,
    /// Connections opened before this are retired; in nanoseconds after the start, 0: none.
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
    /// After a refused write: retires all connections that are open now.
    pub(crate) fn refused(&self) {
        let (now, before) = (self.now(), self.retired_before.load(Ordering::Relaxed));
        if before == 0 || Duration::from_nanos(now.saturating_sub(before)) >= REFUSAL_PERIOD {
            self.retired_before.fetch_max(now, Ordering::Relaxed);
        }
    }

    /// After the address has moved to another server: retires all connections that are open now.
    pub(crate) fn moved(&self) {
        self.retired_before.fetch_max(self.now(), Ordering::Relaxed);
    }

    /// Notes whether the server is read-only, as it is during a switchover. Then every connection is checked before use.
    pub(crate) fn set_read_only(&self, is_read_only: bool) {
        self.is_read_only.store(is_read_only, Ordering::Relaxed);
    }

    pub(crate) fn is_read_only(&self) -> bool {
        self.is_read_only.load(Ordering::Relaxed)
    }

    /// Whether a connection of this age is retired.
    pub(crate) fn is_retired(&self, age: Duration) -> bool {
        let age = u64::try_from(age.as_nanos()).unwrap_or(u64::MAX);
        self.is_opened_before_retirement(self.now().saturating_sub(age))
    }

    fn is_opened_before_retirement(&self, opened: u64) -> bool {
        let retired_before = self.retired_before.load(Ordering::Relaxed);
        retired_before > 0 && opened <= retired_before
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

    /// The time of a connection that is opened now, later than everything before.
    fn opened(switchover: &Switchover) -> u64 {
        std::thread::sleep(Duration::from_millis(1));
        let opened = switchover.now();
        std::thread::sleep(Duration::from_millis(1));
        opened
    }

    #[test]
    fn what_was_opened_before_a_move_is_retired_and_what_was_opened_after_it_is_not() {
        let switchover = Switchover::default();
        let before = opened(&switchover);
        assert!(!switchover.is_opened_before_retirement(before));
        switchover.moved();
        assert!(switchover.is_opened_before_retirement(before));
        assert!(switchover.is_retired(Duration::MAX));
        let after = opened(&switchover);
        assert!(!switchover.is_opened_before_retirement(after));
    }

    #[test]
    fn a_server_that_refuses_every_write_is_connected_to_anew_once_a_second() {
        let switchover = Switchover::default();
        switchover.refused();
        let first = switchover.retired_before.load(Ordering::Relaxed);
        let between = opened(&switchover);
        switchover.refused();
        let second = switchover.retired_before.load(Ordering::Relaxed);
        assert!(second == first || second - first >= REFUSAL_PERIOD.as_nanos() as u64);
        // A move that was noticed doesn't wait.
        switchover.moved();
        assert!(switchover.is_opened_before_retirement(between));
    }
}
