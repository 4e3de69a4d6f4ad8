//! Statistics of the counters of this process: for the metrics, and for tests that assert what was read from where.

use std::sync::atomic::{AtomicU64, Ordering};

use telemetry::metrics::{self, CountSource};

/// Totals of a process since its start. Counters, not calls, unless said otherwise.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Read and answered by Redis.
    pub hits: u64,
    /// Loaded from MySQL under the lock, and stored.
    pub loads: u64,
    /// Read and answered by MySQL without being stored: Redis was away, or another's load took too long.
    pub exact_reads: u64,
    /// Expiries renewed by a hit.
    pub renewals: u64,
    /// Found wrong in Redis by a comparison, and repaired.
    pub repaired: u64,
    /// Deleted from Redis, or to be deleted, because their state there was unknown.
    pub invalidated: u64,
    /// Round trips to Redis.
    pub round_trips: u64,
}

#[derive(Debug)]
pub(super) struct Tally {
    pub(super) hits: Total,
    pub(super) loads: Total,
    pub(super) exact_reads: Total,
    pub(super) renewals: Total,
    pub(super) repaired: Total,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            hits: Total::recorded(CountSource::Redis),
            loads: Total::recorded(CountSource::Loaded),
            exact_reads: Total::recorded(CountSource::Mysql),
            renewals: Total::default(),
            repaired: Total::default(),
        }
    }
}

impl Tally {
    /// With what happened on the connections.
    pub(super) fn stats(&self, clients: [redis_client::Stats; 2]) -> Stats {
        Stats {
            hits: self.hits.get(),
            loads: self.loads.get(),
            exact_reads: self.exact_reads.get(),
            renewals: self.renewals.get(),
            repaired: self.repaired.get(),
            invalidated: clients.iter().map(|client| client.invalidated).sum(),
            round_trips: clients.iter().map(|client| client.round_trips).sum(),
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Total {
    count: AtomicU64,
    /// In the metrics these are reads.
    source: Option<CountSource>,
}

impl Total {
    fn recorded(source: CountSource) -> Self {
        Self {
            count: AtomicU64::new(0),
            source: Some(source),
        }
    }

    pub(super) fn add(&self, count: usize) {
        self.count.fetch_add(count as u64, Ordering::Relaxed);
        if let Some(source) = self.source {
            metrics::counters_read(source, count);
        }
    }

    fn get(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}
