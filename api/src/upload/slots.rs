//! Limits how many uploads may wait in temporary files for their token.
//!
//! When no permit is free, the client that holds the most loses its slowest upload. Among clients that hold the same number, only
//! an upload that hardly moves is evicted. An upload whose token was verified is never evicted.

use std::{
    collections::HashMap,
    future::pending,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    time::Duration,
};

use settings::client_network;
use telemetry::metrics;
use tokio::{
    sync::{Notify, Semaphore, SemaphorePermit},
    time::{Instant, sleep, timeout},
};

/// The name of this limit in the metrics.
const SPOOL: &str = "spool";
/// How long an upload waits for a permit.
const MAX_WAIT: Duration = Duration::from_secs(3);
/// How often it looks meanwhile for an upload that may be evicted.
const EVICTION_INTERVAL: Duration = Duration::from_millis(100);
/// An upload hardly moves when, after `SLOW_AFTER`, it is slower than this many times `http.min_body_rate`.
const SLOW: u64 = 4;
const SLOW_AFTER: Duration = Duration::from_secs(1);

/// The slots of a process.
pub struct SpoolSlots {
    permits: Arc<Semaphore>,
    /// The uploads that hold a permit.
    held: Mutex<Vec<Held>>,
    slow_rate: u64,
}

struct Held {
    claim: Arc<SpoolClaim>,
    since: Instant,
}

/// An upload that may need a slot.
pub struct SpoolClaim {
    client: u64,
    bytes: AtomicU64,
    state: AtomicU8,
    evicted: Notify,
}

/// It may be evicted.
const EVICTABLE: u8 = 0;
/// Its token was verified.
const PINNED: u8 = 1;
/// It was evicted.
const EVICTED: u8 = 2;

/// A slot, held until this is dropped.
pub struct Slot<'a> {
    slots: &'a SpoolSlots,
    claim: Arc<SpoolClaim>,
    _permit: SemaphorePermit<'a>,
}

impl SpoolSlots {
    /// `slots` at once, where a body must come at `min_body_rate` bytes a second.
    pub fn new(slots: usize, min_body_rate: u64) -> Self {
        let permits = Arc::new(Semaphore::new(slots));
        metrics::watch_semaphore(SPOOL, &permits, slots);
        Self {
            permits,
            held: Mutex::default(),
            slow_rate: min_body_rate.saturating_mul(SLOW),
        }
    }

    /// Waits for a slot. None: all are held by uploads that can't be evicted.
    pub async fn take(&self, claim: &Arc<SpoolClaim>) -> Option<Slot<'_>> {
        if let Ok(permit) = self.permits.try_acquire() {
            return Some(self.slot(claim, permit));
        }
        let permit = tokio::select! {
            permit = timeout(MAX_WAIT, self.permits.acquire()) => permit.ok().and_then(Result::ok),
            () = self.make_room(claim.client) => None,
        };
        if permit.is_none() {
            metrics::semaphore_refused(SPOOL);
        }
        permit.map(|permit| self.slot(claim, permit))
    }

    fn slot<'a>(&'a self, claim: &Arc<SpoolClaim>, permit: SemaphorePermit<'a>) -> Slot<'a> {
        self.held().push(Held {
            claim: claim.clone(),
            since: Instant::now(),
        });
        Slot {
            slots: self,
            claim: claim.clone(),
            _permit: permit,
        }
    }

    /// Evicts one upload, as soon as one can be; never returns.
    async fn make_room(&self, client: u64) {
        while !self.evict_for(client) {
            sleep(EVICTION_INTERVAL).await;
        }
        pending().await
    }

    fn evict_for(&self, client: u64) -> bool {
        let held = self.held();
        let evictable = || held.iter().filter(|held| held.claim.is_evictable());
        let mut counts: HashMap<u64, usize> = HashMap::new();
        for held in evictable() {
            *counts.entry(held.claim.client).or_default() += 1;
        }
        let own = counts.get(&client).copied().unwrap_or_default();
        let max = counts.values().copied().max().unwrap_or_default();
        // Then it still holds as many as the client of this upload does.
        let is_fair = max >= own + 2;
        let victim = evictable()
            .filter(|held| counts.get(&held.claim.client) == Some(&max))
            .filter(|held| is_fair || held.is_slow(self.slow_rate))
            .min_by_key(|held| held.rate());
        victim.is_some_and(|held| held.claim.evict())
    }

    fn held(&self) -> MutexGuard<'_, Vec<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Bytes a second since it got its slot.
    fn rate(&self) -> u64 {
        let ms = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let bytes = self.claim.bytes.load(Ordering::Relaxed);
        bytes.saturating_mul(1000) / ms.max(1)
    }

    fn is_slow(&self, rate: u64) -> bool {
        self.since.elapsed() >= SLOW_AFTER && self.rate() < rate
    }
}

impl SpoolClaim {
    /// For an upload from this address.
    pub fn new(client: IpAddr) -> Arc<Self> {
        Arc::new(Self {
            client: client_network(client),
            bytes: AtomicU64::new(0),
            state: AtomicU8::new(EVICTABLE),
            evicted: Notify::new(),
        })
    }

    /// Its token was verified: from now on it can't be evicted.
    pub fn pin(&self) {
        self.transition(PINNED);
    }

    /// Returns when it is evicted.
    pub async fn evicted(&self) {
        self.evicted.notified().await;
    }

    fn evict(&self) -> bool {
        let done = self.transition(EVICTED);
        if done {
            self.evicted.notify_one();
        }
        done
    }

    fn is_evictable(&self) -> bool {
        self.state.load(Ordering::Acquire) == EVICTABLE
    }

    fn transition(&self, to: u8) -> bool {
        self.state
            .compare_exchange(EVICTABLE, to, Ordering::AcqRel, Ordering::Acquire)
            .is_ok()
    }
}

impl Slot<'_> {
    /// Counts bytes of the file that were received.
    pub fn received(&self, bytes: usize) {
        self.claim.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let claim = &self.claim;
        self.slots
            .held()
            .retain(|held| !Arc::ptr_eq(&held.claim, claim));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIN_RATE: u64 = 8 << 10;

    /// Which upload is evicted for one from `newcomer`. The others are (address, age in seconds, bytes).
    fn turn(newcomer: &str, held: &[(&str, u64, u64)]) -> Option<usize> {
        let slots = SpoolSlots::new(held.len(), MIN_RATE);
        for (address, age, bytes) in held {
            let claim = SpoolClaim::new(address.parse().unwrap());
            claim.bytes.store(*bytes, Ordering::Relaxed);
            let since = Instant::now() - Duration::from_secs(*age);
            slots.held().push(Held { claim, since });
        }
        let is_evicted = slots.evict_for(client_network(newcomer.parse().unwrap()));
        let held = slots.held();
        let at = held.iter().position(|held| !held.claim.is_evictable());
        assert_eq!(at.is_some(), is_evicted);
        at
    }

    #[test]
    fn the_client_that_holds_the_most_loses_its_slowest_upload() {
        let held = [
            ("192.0.2.1", 10, 0),
            ("2001:db8::1", 10, 200_000_000),
            ("2001:db8::ffff:2", 10, 100_000_000),
            ("2001:db8:0:0:3::", 5, 100_000_000),
        ];
        assert_eq!(turn("192.0.2.2", &held), Some(2));
        assert_eq!(turn("192.0.2.1", &held), Some(2));
        // It would then hold as many as that client.
        let one_more = [held[0], held[1], held[2]];
        assert_eq!(turn("192.0.2.1", &one_more), None);
        assert_eq!(turn("192.0.2.2", &one_more), Some(2));
    }

    #[test]
    fn among_equals_only_an_upload_that_hardly_moves_is_evicted() {
        let fast = 100 * SLOW * MIN_RATE;
        let both_fast = [("192.0.2.1", 10, fast), ("192.0.2.2", 10, fast)];
        let one_slow = [("192.0.2.1", 10, fast), ("192.0.2.2", 1000, fast)];
        let one_new = [("192.0.2.1", 10, fast), ("192.0.2.2", 0, 0)];
        for newcomer in ["192.0.2.2", "192.0.2.3"] {
            assert_eq!(turn(newcomer, &both_fast), None, "{newcomer}");
            assert_eq!(turn(newcomer, &one_slow), Some(1), "{newcomer}");
            assert_eq!(turn(newcomer, &one_new), None, "{newcomer}");
        }
        let dripping = [("192.0.2.1", 30, 30); 8];
        assert!(turn("192.0.2.1", &dripping).is_some(), "of one's own");
    }

    #[tokio::test]
    async fn a_newcomer_gets_the_slot_of_an_evicted_upload_but_not_of_a_verified_one() {
        let slots = SpoolSlots::new(2, MIN_RATE);
        let claim = |address: &str| SpoolClaim::new(address.parse().unwrap());
        let (pinned, waiting) = (claim("192.0.2.1"), claim("192.0.2.1"));
        let _pinned_slot = slots.take(&pinned).await.unwrap();
        pinned.pin();
        let slot = slots.take(&waiting).await.unwrap();
        for held in slots.held().iter_mut() {
            held.since -= 2 * SLOW_AFTER;
        }
        let newcomer = claim("192.0.2.2");
        let give_way = async {
            waiting.evicted().await;
            drop(slot);
        };
        let (taken, ()) = tokio::join!(slots.take(&newcomer), give_way);
        assert!(taken.is_some());
        assert_eq!(pinned.state.load(Ordering::Acquire), PINNED);
    }
}
