//! The nonces that an instance has accepted, so that no proof is accepted twice.
//!
//! A nonce is kept as long as the time in its proof is valid. The memory is bounded: when it is full, the oldest nonces are forgotten and
//! proofs of that age are refused. So a heavy load shortens the time in which a proof is valid, but never allows a replay.

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
/// Ranges of forgotten slots in a shard at most.
const MAX_RANGES: usize = 8;

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
        shard.forget(now_ms.saturating_sub(MAX_SKEW_MS) / SLOT_MS);
        let slot = time_ms / SLOT_MS;
        if shard.forgotten.contains(slot) {
            return Err(Refusal::AnotherTime);
        }
        if !shard.taken.insert(nonce) {
            return Err(Refusal::Used);
        }
        shard.by_slot.entry(slot).or_default().push(nonce);
        while shard.taken.len() > self.max_per_shard
            && let Some(oldest) = shard.by_slot.keys().next().copied()
        {
            shard.forget(oldest + 1);
        }
        Ok(())
    }
}

impl Shard {
    /// Forgets nonces older than this slot.
    ///
    /// A nonce that was accepted stays in `taken` until its slot is in `forgotten`: so none is accepted twice, whatever the clock does.
    fn forget(&mut self, slot: u64) {
        while let Some(entry) = self.by_slot.first_entry()
            && *entry.key() < slot
        {
            self.forgotten.add(*entry.key());
            for nonce in entry.remove() {
                self.taken.remove(&nonce);
            }
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
            self.merge_oldest();
        }
    }

    /// What lies between the two oldest ranges is refused, too.
    fn merge_oldest(&mut self) {
        self.0.sort_unstable_by_key(|range| *range.start());
        let oldest = self.0.remove(0);
        if let Some(next) = self.0.first_mut() {
            *next = *oldest.start()..=*oldest.end().max(next.end());
        }
    }
}
