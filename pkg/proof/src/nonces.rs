//! The nonces that an instance has accepted, so that no proof is accepted twice.
//!
//! A nonce is kept as long as the time in its proof is valid. The memory is bounded: when it is full, the oldest nonces are forgotten and
//! proofs of that age are refused; before them those of a time that hasn't come, which a clock that was ahead has left. So a heavy load
//! shortens the time in which a proof is valid, but never allows a replay.

use std::{
    collections::{BTreeMap, HashSet},
    ops::RangeInclusive,
    sync::{Mutex, PoisonError},
};

use crate::{MAX_SKEW_MS, Refusal};

/// The resolution of times, in ms. Nonces of one slot are forgotten together.
const SLOT_MS: u64 = 10_000;
/// Number of locks: calls rarely wait for each other.
const SHARDS: usize = 64;
/// Nonces in a shard at most. All of them are good for 7,000 calls a second over 5 minutes, and take 60 MB.
const MAX_PER_SHARD: usize = (2 << 20) / SHARDS;
/// Forgotten slots so close to each other are one range: a minute.
const MAX_GAP: u64 = 60_000 / SLOT_MS;
/// Ranges of forgotten slots in a shard at most: the longest pauses between calls are what keeps them apart.
const MAX_RANGES: usize = 32;

#[derive(Debug)]
pub(crate) struct SeenNonces {
    shards: Box<[Mutex<Shard>]>,
    max_per_shard: usize,
}

#[derive(Debug, Default)]
struct Shard {
    taken: HashSet<u64>,
    by_slot: BTreeMap<u64, Vec<u64>>,
    forgotten: Forgotten,
}

/// Slots of which nonces may have been forgotten.
///
/// A slot never leaves it: otherwise a clock that is set back would allow a replay. What was never accepted isn't in it: a clock that was
/// hours ahead and is set right refuses only what it accepted while it was ahead.
#[derive(Debug, Default)]
struct Forgotten(Vec<RangeInclusive<u64>>);

impl SeenNonces {
    pub(crate) fn new() -> Self {
        Self::with_room(SHARDS, MAX_PER_SHARD)
    }

    pub(crate) fn with_room(shards: usize, max_per_shard: usize) -> Self {
        Self {
            shards: (0..shards).map(|_| Mutex::default()).collect(),
            max_per_shard,
        }
    }

    /// Accepts a nonce once. Its time must be valid.
    pub(crate) fn take(&self, nonce: u64, time_ms: u64, now_ms: u64) -> Result<(), Refusal> {
        // Nonces are random, so any digits choose the shard.
        let shard = usize::try_from(nonce % self.shards.len().max(1) as u64).unwrap_or_default();
        let Some(shard) = self.shards.get(shard) else {
            return Ok(());
        };
        // No code that could panic runs under this lock.
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        shard.forget_before(now_ms.saturating_sub(MAX_SKEW_MS) / SLOT_MS);
        let slot = time_ms / SLOT_MS;
        if shard.forgotten.contains(slot) {
            return Err(Refusal::AnotherTime);
        }
        if !shard.taken.insert(nonce) {
            return Err(Refusal::Used);
        }
        shard.by_slot.entry(slot).or_default().push(nonce);
        let last_valid = now_ms.saturating_add(MAX_SKEW_MS) / SLOT_MS;
        while shard.taken.len() > self.max_per_shard
            && let Some(slot) = shard.least_needed(last_valid)
        {
            shard.forget(slot);
        }
        Ok(())
    }
}

impl Shard {
    /// The slot to forget when there is no more room: one of a time that hasn't come, or else the oldest.
    fn least_needed(&self, last_valid: u64) -> Option<u64> {
        let is_ahead = |slot: &u64| *slot > last_valid;
        let ahead = self.by_slot.keys().next_back().copied().filter(is_ahead);
        ahead.or_else(|| self.by_slot.keys().next().copied())
    }

    fn forget_before(&mut self, slot: u64) {
        while let Some(oldest) = self.by_slot.keys().next().copied()
            && oldest < slot
        {
            self.forget(oldest);
        }
    }

    /// Forgets the nonces of a slot.
    ///
    /// A nonce that was accepted stays in `taken` until its slot is in `forgotten`: so none is accepted twice, whatever the clock does.
    fn forget(&mut self, slot: u64) {
        self.forgotten.add(slot);
        for nonce in self.by_slot.remove(&slot).unwrap_or_default() {
            self.taken.remove(&nonce);
        }
    }
}

impl Forgotten {
    fn contains(&self, slot: u64) -> bool {
        self.0.iter().any(|range| range.contains(&slot))
    }

    fn add(&mut self, slot: u64) {
        let mut ranges = self.0.iter_mut();
        let near = ranges.find(|range| {
            *range.start() <= slot.saturating_add(MAX_GAP)
                && slot <= range.end().saturating_add(MAX_GAP)
        });
        match near {
            Some(range) => *range = slot.min(*range.start())..=slot.max(*range.end()),
            None => self.0.push(slot..=slot),
        }
        if self.0.len() > MAX_RANGES {
            self.merge_closest();
        }
    }

    /// Joins the two ranges with the least time between them, which is refused from now on, too. Not the two oldest: those may be of now and of a
    /// time that hasn't come.
    fn merge_closest(&mut self) {
        self.0.sort_unstable_by_key(|range| *range.start());
        let gap = |pair: &[RangeInclusive<u64>]| match pair {
            [one, next] => next.start().saturating_sub(*one.end()),
            _ => u64::MAX,
        };
        let pairs = self.0.windows(2).enumerate();
        let Some((at, _)) = pairs.min_by_key(|(_, pair)| gap(pair)) else {
            return;
        };
        let one = self.0.remove(at);
        if let Some(next) = self.0.get_mut(at) {
            *next = *one.start()..=*one.end().max(next.end());
        }
    }
}
