//! The nonces that an instance has taken. A nonce is kept for as long as the time in its proof is good, so forgetting it makes no
//! proof good again. There is room for so many: when it is full, the oldest go, and whatever is as old is refused from then on.
//! Under load the time that a proof is good becomes shorter; repeating one never becomes possible.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Mutex, PoisonError},
};

use crate::{MAX_SKEW_MS, Refusal};

/// Times are told apart so finely, in ms: what is forgotten together.
const SLOT_MS: u64 = 10_000;
/// Calls wait for each other only where they meet in one of these.
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
    /// What is older than this slot was forgotten, or may have been.
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

    /// Takes a nonce, once. Its time was found good.
    pub(crate) fn take(&self, nonce: u64, time_ms: u64, now_ms: u64) -> Result<(), Refusal> {
        // Random digits: any of them will do.
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
    /// Forgets what is older than this slot.
    fn forget(&mut self, slot: u64) {
        // It never goes back: a clock that is set back would make good again what was forgotten.
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
