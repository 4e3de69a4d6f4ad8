//! Singleflight: concurrent reads of a key share one flight. A caller that arrives while a flight runs joins the *next* flight, which
//! starts later. So a result is at least as fresh as a read of the caller's own. Results aren't cached.
//!
//! The demands of all callers are merged before their flight starts. At most two flights of a key run and one waits, so a slow flight
//! delays a caller by at most one more flight. No state is kept for a key that nobody asks for.

mod demand;
mod flight;

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::watch;

pub use demand::Demand;
use flight::{Group, Running};

/// The flight came to no result: it panicked (the panic hook has logged where), or the runtime stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the shared read ended without a result")]
pub struct Ended;

/// The reads under way: of keys `K`, for demands `D`, with results `T`. Cheap to clone; one for each kind of read.
pub struct Singleflight<K, D, T>(Arc<Shared<K, D, T>>);

struct Shared<K, D, T> {
    max_wait: Duration,
    keys: Mutex<HashMap<K, State<D, T>>>,
}

/// What happens to a key; there is none while nobody asks for it.
struct State<D, T> {
    /// Those who wait for the next flight.
    next: Option<Group<D, T>>,
    running: Running,
}

impl<K, D, T> Singleflight<K, D, T>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    D: Demand,
    T: Clone + Send + Sync + 'static,
{
    /// No reads yet. A flight that takes longer than `max_wait` no longer holds up the next one, unless another is as slow already.
    pub fn new(max_wait: Duration) -> Self {
        Self(Arc::new(Shared {
            max_wait,
            keys: Mutex::default(),
        }))
    }

    /// Joins the next flight of `key`, whose `read` is that of whoever joined first; it is given what all demand together. It runs in
    /// a task of its own, until it ends or nobody waits for it any more. To be called in a tokio runtime.
    ///
    /// # Errors
    /// The flight came to no result.
    pub async fn join<F, R>(&self, key: K, demand: D, read: F) -> Result<T, Ended>
    where
        F: FnOnce(D) -> R + Send + 'static,
        R: Future<Output = T> + Send + 'static,
    {
        let mut result = self.enter(key, demand, read);
        match result.wait_for(Option::is_some).await {
            Ok(result) => result.clone().ok_or(Ended),
            Err(_) => Err(Ended),
        }
    }

    fn enter<F, R>(&self, key: K, demand: D, read: F) -> watch::Receiver<Option<T>>
    where
        F: FnOnce(D) -> R + Send + 'static,
        R: Future<Output = T> + Send + 'static,
    {
        let mut keys = self.0.keys();
        let (result, starts) = match keys.entry(key.clone()) {
            Entry::Vacant(entry) => {
                let (group, result) = Group::new(demand, read);
                let mut running = Running::default();
                let starts = running.start();
                entry.insert(State {
                    next: Some(group),
                    running,
                });
                (result, starts)
            }
            Entry::Occupied(mut entry) => {
                let State { next, running } = entry.get_mut();
                match next {
                    Some(group) => (group.join(demand), false),
                    None => {
                        let (group, result) = Group::new(demand, read);
                        *next = Some(group);
                        (result, running.start())
                    }
                }
            }
        };
        drop(keys);
        if starts {
            self.0.clone().spawn(key);
        }
        result
    }

    /// Keys that are being read or waited for.
    pub fn keys(&self) -> usize {
        self.0.keys().len()
    }
}

impl<K, D, T> Shared<K, D, T>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    D: Demand,
    T: Clone + Send + Sync + 'static,
{
    fn spawn(self: Arc<Self>, key: K) {
        tokio::spawn(self.fly(key));
    }

    /// One flight, for which a place among the running ones was taken.
    async fn fly(self: Arc<Self>, key: K) {
        // Whoever came until now is aboard.
        let group = self
            .keys()
            .get_mut(&key)
            .and_then(|state| state.next.take());
        let mut is_late = false;
        if let Some(group) = group {
            let mut flight = Box::pin(group.read());
            if tokio::time::timeout(self.max_wait, &mut flight)
                .await
                .is_err()
            {
                is_late = true;
                self.update(&key, Running::is_late);
                flight.await;
            }
        }
        self.update(&key, |running| running.end(is_late));
    }

    /// Changes what runs; then the next flight may start, or the key be done with.
    fn update(self: &Arc<Self>, key: &K, change: impl FnOnce(&mut Running)) {
        let mut keys = self.keys();
        let Some(State { next, running }) = keys.get_mut(key) else {
            return;
        };
        change(running);
        if next.is_none() {
            if running.is_none() {
                keys.remove(key);
            }
            return;
        }
        let starts = running.start();
        drop(keys);
        if starts {
            self.clone().spawn(key.clone());
        }
    }
}

impl<K, D, T> Shared<K, D, T> {
    fn keys(&self) -> MutexGuard<'_, HashMap<K, State<D, T>>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K, D, T> Clone for Singleflight<K, D, T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<K, D, T> fmt::Debug for Singleflight<K, D, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Singleflight")
            .field("keys", &self.0.keys().len())
            .finish()
    }
}
