//! What a process that writes knows of itself: its id, which rows of `writers` are its own, and whether it counts as dead.
//!
//! Only state; [`crate::writers`] changes it.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Notify, watch};

/// A process among the writers.
#[derive(Default)]
pub(crate) struct WriterState {
    /// While it holds the lock of that name, or did.
    pub(crate) id: watch::Sender<Option<String>>,
    /// Somebody has found out that it counts as dead.
    pub(crate) is_dead: Notify,
    known: Mutex<Known>,
}

#[derive(Default)]
pub(crate) struct Known {
    pub(crate) is_started: bool,
    /// Which of its ids has a row, by the name of the leases.
    pub(crate) rows: HashMap<&'static str, String>,
    /// Rows that say that it owes something.
    pub(crate) owing: HashSet<(&'static str, String)>,
}

impl WriterState {
    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
