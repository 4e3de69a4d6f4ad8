//! Retires connections to a server that is no longer the primary: after a switchover the old server lives on, read-only, with its
//! connections open.
//!
//! A connection isn't used again if it refused a write or was opened before a move was noticed. A connection that was idle is checked before
//! use. None is used for longer than [`super::PRIMARY_LIFE`].

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
