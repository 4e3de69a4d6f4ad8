//! A connection pool for reads with a bounded queue. A read that finds the queue full is refused at once: overload is no fault of the server.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use sea_orm::{DatabaseConnection, DbErr};
use telemetry::metrics;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error;

/// Reads that may wait for a connection: so many for each connection, and at least `MIN_WAITING`. A read takes a millisecond, so the last
/// one waits for a few dozen milliseconds.
const WAITING_PER_CONNECTION: usize = 16;
const MIN_WAITING: usize = 256;
/// The longest wait, when reads take longer than that.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// A pool, and a permit for each of its connections. Whoever holds a permit gets a connection, unless the server is at fault.
pub(crate) struct ReadPool {
    pub(crate) connection: DatabaseConnection,
    /// As metrics know it.
    name: &'static str,
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
    max_waiting: usize,
    max_wait: Duration,
}

impl ReadPool {
    pub(crate) fn new(
        name: &'static str,
        connection: DatabaseConnection,
        connections: u32,
        acquire_timeout: Duration,
    ) -> Self {
        let connections = usize::try_from(connections).unwrap_or(Semaphore::MAX_PERMITS);
        Self {
            connection,
            name,
            permits: Arc::new(Semaphore::new(connections)),
            waiting: AtomicUsize::new(0),
            max_waiting: connections
                .saturating_mul(WAITING_PER_CONNECTION)
                .max(MIN_WAITING),
            max_wait: acquire_timeout.min(MAX_WAIT),
        }
    }

    /// Registers the metrics of the permits.
    pub(crate) fn register_metrics(&self) {
        metrics::watch_semaphore(self.name, &self.permits, self.permits.available_permits());
    }

    /// Waits for a permit.
    ///
    /// # Errors
    /// [`error::overloaded`] if too many wait, or for too long.
    pub(crate) async fn acquire(&self) -> Result<SemaphorePermit<'_>, DbErr> {
        if let Ok(permit) = self.permits.try_acquire() {
            return Ok(permit);
        }
        let Some(_waiting) = Waiting::begin(&self.waiting, self.max_waiting) else {
            return Err(self.refuse());
        };
        match tokio::time::timeout(self.max_wait, self.permits.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(self.refuse()),
        }
    }

    /// A permit, if one is free.
    pub(crate) fn try_acquire(&self) -> Option<SemaphorePermit<'_>> {
        self.permits.try_acquire().ok()
    }

    /// Whether every connection is open and in use. For a holder of a permit that means: by queries that were given up and still run.
    pub(crate) fn is_full(&self) -> bool {
        let pool = self.connection.get_mysql_connection_pool();
        pool.num_idle() == 0 && pool.size() >= pool.options().get_max_connections()
    }

    fn refuse(&self) -> DbErr {
        metrics::semaphore_refused(self.name);
        error::overloaded()
    }
}

/// Counts a waiting read until it is dropped.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn begin(waiting: &'a AtomicUsize, max: usize) -> Option<Self> {
        let one_more = |count: usize| (count < max).then_some(count + 1);
        let begun = waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        // Made only if it was counted: its drop subtracts one.
        begun.is_ok().then(|| Self(waiting))
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn read_pool(max_wait: Duration) -> ReadPool {
        let connection = DatabaseConnection::default();
        let mut read_pool = ReadPool::new("test", connection, 1, max_wait);
        read_pool.max_wait = max_wait;
        read_pool
    }

    #[tokio::test]
    async fn who_comes_too_late_is_refused_at_once_and_who_waits_is_in_time() {
        let read_pool = Arc::new(read_pool(Duration::from_secs(60)));
        let first = read_pool.acquire().await.unwrap();
        let queue: Vec<_> = (0..MIN_WAITING)
            .map(|_| {
                let read_pool = read_pool.clone();
                tokio::spawn(async move { read_pool.acquire().await.is_ok() })
            })
            .collect();
        while read_pool.waiting.load(Ordering::Relaxed) < MIN_WAITING {
            tokio::task::yield_now().await;
        }
        let asked = Instant::now();
        let refused = read_pool.acquire().await;
        assert!(refused.is_err_and(|e| error::is_overloaded(&e)));
        // Nobody was waited for: the queue is as it was.
        assert_eq!(read_pool.waiting.load(Ordering::Relaxed), MIN_WAITING);
        assert!(asked.elapsed() < Duration::from_secs(30), "it waited");
        drop(first);
        for one in queue {
            assert!(one.await.unwrap(), "whoever waits has a turn");
        }
        assert_eq!(read_pool.waiting.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_wait_that_is_too_long_ends_as_overload() {
        let read_pool = read_pool(Duration::from_millis(50));
        let _first = read_pool.acquire().await.unwrap();
        assert!(read_pool.try_acquire().is_none());
        let late = read_pool.acquire().await;
        assert!(late.is_err_and(|e| error::is_overloaded(&e)));
    }
}
