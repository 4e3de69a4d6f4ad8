//! The state of this process as a writer: its id, which rows of the table `writers` are its own, and whether it was declared dead.
//!
//! Only state; [`crate::writers`] changes it.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Notify, watch};

/// The state of this process as a writer.
#[derive(Default)]
pub(crate) struct WriterState {
    /// Of the lock that it holds, or held last.
    pub(crate) id: watch::Sender<Option<String>>,
    /// Notified when it finds that it was declared dead.
    pub(crate) is_dead: Notify,
    known: Mutex<Known>,
}

#[derive(Default)]
pub(crate) struct Known {
    pub(crate) is_started: bool,
    /// The id that has a row, by the name of the leases.
    pub(crate) rows: HashMap<&'static str, String>,
    /// Rows with the state dirty: they record that a commit was acknowledged which isn't in Redis.
    pub(crate) dirty: HashSet<(&'static str, String)>,
}

impl WriterState {
    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
