//! The nonces that an instance has accepted, so that no proof is accepted twice.
//!
//! A nonce is kept as long as the time in its proof is valid. The memory is bounded: when it is full, the oldest nonces are forgotten and
//! proofs of that age are refused. So a heavy load shortens the time in which a proof is valid, but never allows a replay.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Mutex, PoisonError},
};

use crate::{MAX_SKEW_MS, Refusal};

/// The resolution of times, in ms. Nonces of one slot are forgotten together.
const SLOT_MS: u64 = 10_000;
/// Number of locks: calls rarely wait for each other.
const SHARDS: usize = 64;
/// Nonces in a shard at most. All of them are good for 7,000 calls a second over 5 minutes, and take 60 MB.
const MAX_PER_SHARD: usize = (2 << 20) / SHARDS;

#[derive(Debug)]
pub(crate) struct SeenNonces {
    shards: Box<[Mutex<Shard>]>,
    max_per_shard: usize,
}

#[derive(Debug, Default)]
struct Shard {
    taken: HashSet<u64>,
    by_slot: BTreeMap<u64, Vec<u64>>,
    /// Nonces older than this slot may have been forgotten.
    oldest: u64,
}

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
        if slot < shard.oldest {
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
    fn forget(&mut self, slot: u64) {
        // It never goes back: otherwise a clock that is set back would allow a replay.
        self.oldest = self.oldest.max(slot);
        while let Some(entry) = self.by_slot.first_entry()
            && *entry.key() < self.oldest
        {
            for nonce in entry.remove() {
                self.taken.remove(&nonce);
            }
        }
    }
}
