//! Tracks the `run_id` of the Redis server behind the current connection. Scripts take it as an argument instead of running `INFO`, which
//! would cost more than the rest of a read.
//!
//! The connection is given a name, and its server's run id is noted with that name. Behind each read, in the same trip, the connection
//! is asked for its name. Names end with their connection, and a client never goes back to an older one; so if the name is still there, the
//! read ran on that connection, and so on that run of that server. Otherwise the answers are thrown away.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

/// A connection and where it leads.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Known {
    /// Its name, which no other has.
    pub(super) connection: Arc<str>,
    pub(super) run_id: Arc<str>,
}

/// What a client knows of the server at the other end.
#[derive(Default)]
pub(super) struct ServerRun {
    known: Mutex<Option<Known>>,
    /// Whether somebody is giving the connection a name: two would take it from each other.
    is_being_learnt: AtomicBool,
}

/// Allows one at a time to learn.
pub(super) struct Learning<'a>(&'a ServerRun);

impl ServerRun {
    pub(super) fn known(&self) -> MutexGuard<'_, Option<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn forget(&self, wrong: &Known) {
        let mut known = self.known();
        if known.as_ref() == Some(wrong) {
            *known = None;
        }
    }

    pub(super) fn learn(&self) -> Option<Learning<'_>> {
        let is_taken = self.is_being_learnt.swap(true, Ordering::AcqRel);
        let learning = (!is_taken).then_some(Learning(self))?;
        // Somebody may have learnt it since: a new name would take the connection from them.
        self.known().is_none().then_some(learning)
    }
}

impl Drop for Learning<'_> {
    fn drop(&mut self) {
        self.0.is_being_learnt.store(false, Ordering::Release);
    }
}
