//! One system that is shared by all tests that run at the same time: started for the first, stopped after the last.
//!
//! A plain `static` would never be dropped, so its processes and data would stay behind.

use std::{
    ops::Deref,
    sync::{Arc, Weak},
};

use tokio::sync::Mutex;

use crate::{System, headroom::Headroom};

/// Holds a system only while some test uses it.
#[derive(Debug)]
pub struct SharedSystem(Mutex<Weak<System>>);

/// A test's share of the system; the last one to go ends it. A failed test prints the logs.
#[derive(Debug)]
pub struct Lent {
    system: Arc<System>,
    _headroom: Headroom,
}

impl SharedSystem {
    /// For a `static`.
    pub const fn new() -> Self {
        Self(Mutex::const_new(Weak::new()))
    }

    /// The system, started by `start` if no test holds it at the moment.
    pub async fn get(&self, start: impl AsyncFnOnce() -> System) -> Lent {
        let headroom = Headroom::for_share().await;
        let mut slot = self.0.lock().await;
        let system = match slot.upgrade() {
            Some(system) => system,
            None => {
                let system = Arc::new(start().await);
                *slot = Arc::downgrade(&system);
                system
            }
        };
        Lent {
            system,
            _headroom: headroom,
        }
    }
}

impl Default for SharedSystem {
    fn default() -> Self {
        Self::new()
    }
}

impl Deref for Lent {
    type Target = System;

    fn deref(&self) -> &System {
        &self.system
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        // Unless this is the last share: then each process prints its own.
        if std::thread::panicking() && Arc::strong_count(&self.system) > 1 {
            self.system.print_logs();
        }
    }
}
