//! Limits how many uploads may hold something scarce at once: a temporary file, or memory.
//!
//! When none is free, the client that holds the most loses its slowest upload. Among clients that hold the same number, only an upload
//! that hardly moves is evicted. Of all clients that wait, the one with the fewest slots, held and waited for, may evict. The slot goes to
//! the upload that the other was evicted for. For a moment both hold what is scarce. A client is an address or a user.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use idl::base::Code;
use telemetry::metrics;
use tokio::{
    sync::{Notify, Semaphore},
    time::{Instant, sleep, timeout},
};

use crate::error::ApiError;

/// How long an upload waits for a permit.
const MAX_WAIT: Duration = Duration::from_secs(3);
/// How often it looks meanwhile for an upload that may be evicted.
const EVICTION_INTERVAL: Duration = Duration::from_millis(100);
/// An upload hardly moves when, after `SLOW_AFTER`, it is slower than this many times `http.min_body_rate`.
const SLOW: u64 = 4;
const SLOW_AFTER: Duration = Duration::from_secs(1);

/// The slots of one kind of a process.
pub struct Slots {
    name: &'static str,
    permits: Arc<Semaphore>,
    max_per_client: usize,
    slow_rate: u64,
    /// The uploads that hold a permit.
    held: Mutex<Vec<Held>>,
    counts: Mutex<HashMap<u64, Count>>,
}

/// How many slots a client holds or waits for.
#[derive(Default)]
struct Count {
    all: usize,
    waiting: usize,
}

struct Held {
    client: u64,
    claim: Arc<SlotClaim>,
    since: Instant,
}

/// An upload that may need a slot.
#[derive(Default)]
pub struct SlotClaim {
    bytes: AtomicU64,
    waited: Mutex<WaitTime>,
    state: AtomicU8,
    evicted: Notify,
}

/// How long an upload has waited for its client. What the object store takes is not the client's fault.
#[derive(Default)]
struct WaitTime {
    before: Duration,
    /// Since when it waits now.
    since: Option<Instant>,
}

/// It may be evicted.
const EVICTABLE: u8 = 0;
/// From now on it can't be evicted.
const PINNED: u8 = 1;
/// It was evicted.
const EVICTED: u8 = 2;

/// A slot, held until this is dropped.
pub struct Slot<'a> {
    claim: Arc<SlotClaim>,
    share: Share<'a>,
}

/// A slot that a client holds or waits for, counted until this is dropped.
struct Share<'a> {
    slots: &'a Slots,
    client: u64,
}

/// A client that waits for a slot, counted until this is dropped.
struct Waiting<'a> {
    slots: &'a Slots,
    client: u64,
}

impl Slots {
    /// `slots` at once, of a client `max_per_client`, where a body must come at `min_body_rate` bytes a second. The metrics call them
    /// `name`.
    pub fn new(
        name: &'static str,
        slots: usize,
        max_per_client: usize,
        min_body_rate: u64,
    ) -> Self {
        let permits = Arc::new(Semaphore::new(slots));
        metrics::watch_semaphore(name, &permits, slots);
        Self {
            name,
            permits,
            max_per_client,
            slow_rate: min_body_rate.saturating_mul(SLOW),
            held: Mutex::default(),
            counts: Mutex::default(),
        }
    }

    /// Waits for a slot for an upload of `client`.
    ///
    /// # Errors
    /// The client has all that it may have, or all slots are held by uploads that can't be evicted.
    pub async fn take(&self, client: u64, claim: &Arc<SlotClaim>) -> Result<Slot<'_>, ApiError> {
        let Some(share) = self.share(client) else {
            metrics::limit_refused(self.name);
            return Err(ApiError::new(Code::TOO_MANY_REQUESTS));
        };
        let has_permit = match self.permits.try_acquire() {
            Ok(permit) => {
                permit.forget();
                true
            }
            Err(_) => self.wait(client).await,
        };
        if !has_permit {
            metrics::semaphore_refused(self.name);
            return Err(ApiError::new(Code::TOO_MANY_REQUESTS));
        }
        self.held().push(Held {
            client,
            claim: claim.clone(),
            since: Instant::now(),
        });
        Ok(Slot {
            claim: claim.clone(),
            share,
        })
    }

    /// Waits for a permit, which whoever gets the slot releases. False: there was none.
    async fn wait(&self, client: u64) -> bool {
        let _queued = metrics::in_queue(self.name);
        let _waiting = Waiting::begin(self, client);
        tokio::select! {
            permit = timeout(MAX_WAIT, self.permits.acquire()) => match permit {
                Ok(Ok(permit)) => {
                    permit.forget();
                    true
                }
                _ => false,
            },
            () = self.evict(client) => true,
        }
    }

    /// None: the client has all that it may have.
    fn share(&self, client: u64) -> Option<Share<'_>> {
        let mut counts = self.counts();
        let count = counts.entry(client).or_default();
        let may = count.all < self.max_per_client;
        count.all += usize::from(may);
        may.then(|| Share {
            slots: self,
            client,
        })
    }

    /// Evicts one upload, as soon as one can be. Its permit is the caller's.
    async fn evict(&self, client: u64) {
        while !self.evict_for(client) {
            sleep(EVICTION_INTERVAL).await;
        }
    }

    fn evict_for(&self, client: u64) -> bool {
        self.is_next(client) && self.evict_one(client)
    }

    /// Whether no client that waits has fewer slots. Otherwise a client with many uploads would beat one with a single upload to each slot.
    fn is_next(&self, client: u64) -> bool {
        let counts = self.counts();
        let own = counts.get(&client).map_or(0, |count| count.all);
        !counts
            .values()
            .any(|count| count.waiting > 0 && count.all < own)
    }

    fn evict_one(&self, client: u64) -> bool {
        let held = self.held();
        let evictable = || held.iter().filter(|held| held.claim.is_evictable());
        let mut counts: HashMap<u64, usize> = HashMap::new();
        for held in evictable() {
            *counts.entry(held.client).or_default() += 1;
        }
        let own = counts.get(&client).copied().unwrap_or_default();
        let max = counts.values().copied().max().unwrap_or_default();
        // Then it still holds as many as the client of this upload does.
        let is_fair = max >= own + 2;
        let victim = evictable()
            .filter(|held| counts.get(&held.client) == Some(&max))
            .filter(|held| is_fair || held.is_slow(self.slow_rate))
            .min_by_key(|held| held.rate());
        victim.is_some_and(|held| held.claim.evict())
    }

    fn held(&self) -> MutexGuard<'_, Vec<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<u64, Count>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    /// Bytes a second while it waited for its client.
    fn rate(&self) -> u64 {
        let ms = u64::try_from(self.claim.waited().as_millis()).unwrap_or(u64::MAX);
        let bytes = self.claim.bytes.load(Ordering::Relaxed);
        bytes.saturating_mul(1000) / ms.max(1)
    }

    fn is_slow(&self, rate: u64) -> bool {
        self.since.elapsed() >= SLOW_AFTER && self.rate() < rate
    }
}

impl SlotClaim {
    /// The next chunk of the upload's body. Its bytes and the wait for it are counted.
    pub async fn receive<S, E>(&self, body: &mut S) -> Option<Result<Bytes, E>>
    where
        S: Stream<Item = Result<Bytes, E>> + Unpin,
    {
        self.wait_time().since = Some(Instant::now());
        let next = body.next().await;
        let mut waited = self.wait_time();
        waited.before = waited.total();
        waited.since = None;
        if let Some(Ok(chunk)) = &next {
            self.bytes.fetch_add(chunk.len() as u64, Ordering::Relaxed);
        }
        next
    }

    /// How long the upload has waited for its client.
    pub fn waited(&self) -> Duration {
        self.wait_time().total()
    }

    fn wait_time(&self) -> MutexGuard<'_, WaitTime> {
        self.waited.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on it can't be evicted. False: it was evicted before.
    pub fn pin(&self) -> bool {
        self.transition(PINNED);
        self.state.load(Ordering::Acquire) == PINNED
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

impl WaitTime {
    fn total(&self) -> Duration {
        let now = self.since.map(|since| since.elapsed());
        self.before + now.unwrap_or_default()
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let (claim, slots) = (&self.claim, self.share.slots);
        slots.held().retain(|held| !Arc::ptr_eq(&held.claim, claim));
        // From here on nobody can evict it. Who has done so has the permit.
        if claim.state.load(Ordering::Acquire) != EVICTED {
            slots.permits.add_permits(1);
        }
    }
}

impl Drop for Share<'_> {
    fn drop(&mut self) {
        if let Entry::Occupied(mut count) = self.slots.counts().entry(self.client) {
            count.get_mut().all = count.get().all.saturating_sub(1);
            if count.get().all == 0 {
                count.remove();
            }
        }
    }
}

impl<'a> Waiting<'a> {
    /// The client's share is counted already, and for longer.
    fn begin(slots: &'a Slots, client: u64) -> Self {
        slots.counts().entry(client).or_default().waiting += 1;
        Self { slots, client }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if let Some(count) = self.slots.counts().get_mut(&self.client) {
            count.waiting = count.waiting.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures::FutureExt as _;
    use settings::client_network;

    use super::*;

    const MIN_RATE: u64 = 8 << 10;

    fn slots(count: usize, max_per_client: usize) -> Slots {
        Slots::new("test", count, max_per_client, MIN_RATE)
    }

    fn client(address: &str) -> u64 {
        client_network(address.parse().unwrap())
    }

    /// Which upload is evicted for one from `newcomer`. The others are (address, age in seconds, bytes).
    fn turn(newcomer: &str, held: &[(&str, u64, u64)]) -> Option<usize> {
        let slots = slots(held.len(), usize::MAX);
        for (address, age, bytes) in held {
            let claim = Arc::new(SlotClaim::default());
            claim.bytes.store(*bytes, Ordering::Relaxed);
            claim.wait_time().before = Duration::from_secs(*age);
            slots.held().push(Held {
                client: client(address),
                claim,
                since: Instant::now() - Duration::from_secs(*age),
            });
        }
        let is_evicted = slots.evict_for(client(newcomer));
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
        // The store took the time.
        let slots = slots(1, usize::MAX);
        let claim = Arc::new(SlotClaim::default());
        claim.bytes.store(100 << 10, Ordering::Relaxed);
        slots.held().push(Held {
            client: 1,
            claim,
            since: Instant::now() - Duration::from_secs(100),
        });
        assert!(!slots.evict_for(2));
        let dripping = [("192.0.2.1", 30, 30); 8];
        assert!(turn("192.0.2.1", &dripping).is_some(), "of one's own");
    }

    #[tokio::test]
    async fn a_newcomer_gets_the_slot_of_an_evicted_upload_but_not_of_a_pinned_one() {
        let slots = slots(2, usize::MAX);
        let [pinned, waiting, newcomer] = [(); 3].map(|()| Arc::new(SlotClaim::default()));
        let _pinned_slot = slots.take(1, &pinned).await.unwrap();
        pinned.pin();
        let slot = slots.take(1, &waiting).await.unwrap();
        for held in slots.held().iter_mut() {
            held.since -= 2 * SLOW_AFTER;
        }
        let mut queued = pin!(slots.permits.acquire());
        assert!(queued.as_mut().now_or_never().is_none());
        let taken = slots.take(2, &newcomer).await.unwrap();
        waiting.evicted().await;
        drop(slot);
        assert!(
            queued.as_mut().now_or_never().is_none(),
            "it has evicted nobody"
        );
        drop(taken);
        assert!(queued.as_mut().now_or_never().is_some());
        assert_eq!(pinned.state.load(Ordering::Acquire), PINNED);
    }

    #[tokio::test]
    async fn a_client_that_waits_for_one_slot_comes_before_those_that_wait_for_many() {
        let slots = slots(1, usize::MAX);
        let claim = || Arc::new(SlotClaim::default());
        let held = claim();
        let _slot = slots.take(1, &held).await.unwrap();
        let many = [(); 3].map(|()| claim());
        let takes = many.each_ref().map(|claim| Box::pin(slots.take(2, claim)));
        let mut crowd = futures::future::select_all(takes);
        let newcomer = claim();
        let mut single = Box::pin(slots.take(3, &newcomer));
        assert!(futures::poll!(&mut crowd).is_pending());
        assert!(futures::poll!(&mut single).is_pending());
        for held in slots.held().iter_mut() {
            held.since -= 2 * SLOW_AFTER;
        }
        tokio::select! {
            taken = &mut single => assert!(taken.is_ok()),
            _ = &mut crowd => panic!("the crowd was first"),
        }
        held.evicted().await;
    }

    #[tokio::test]
    async fn a_client_has_its_share_of_the_slots_and_no_more() {
        let slots = slots(8, 2);
        let claim = || Arc::new(SlotClaim::default());
        let first = slots.take(1, &claim()).await.unwrap();
        let _second = slots.take(1, &claim()).await.unwrap();
        let refused = slots.take(1, &claim()).await.err().unwrap();
        assert_eq!(refused.code(), Code::TOO_MANY_REQUESTS);
        assert!(slots.take(2, &claim()).await.is_ok());
        drop(first);
        let _third = slots.take(1, &claim()).await.unwrap();
        assert!(slots.take(1, &claim()).await.is_err());
        let count = |client| slots.counts().get(&client).map(|count| count.all);
        assert_eq!(count(1), Some(2), "a refusal isn't counted");
        assert_eq!(count(2), None);
    }
}
