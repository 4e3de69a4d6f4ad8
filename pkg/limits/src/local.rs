//! Rate limits counted in this process: asked first, and alone while Redis is unavailable.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::{Claim, gcra::Step};

/// So that requests rarely wait for one another.
const SHARDS: usize = 16;
/// Most subjects in a shard. When it is full, further subjects are counted in Redis alone.
const MAX_SUBJECTS: usize = 8192;

/// The theoretical arrival time of each subject, in µs since the start: until then it has used up what it may do.
pub(crate) struct Local {
    start: Instant,
    shards: [Mutex<HashMap<Claim, u64>>; SHARDS],
}

impl Local {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            shards: Default::default(),
        }
    }

    /// Takes the step, or returns how long to wait.
    pub(crate) fn take(&self, claim: Claim, step: Step) -> Result<(), Duration> {
        let now = self.now();
        let mut shard = self.shard(claim);
        let arrival_us = shard.get(&claim).copied().unwrap_or_default();
        let after = step.take(arrival_us, now)?;
        store(&mut shard, claim, after, now);
        Ok(())
    }

    /// How long to wait for it; takes nothing.
    pub(crate) fn wait(&self, claim: Claim, step: Step) -> Duration {
        let now = self.now();
        let arrival_us = self.shard(claim).get(&claim).copied().unwrap_or_default();
        step.take(arrival_us, now).err().unwrap_or_default()
    }

    /// Counts what has happened.
    pub(crate) fn charge(&self, claim: Claim, step: Step) {
        let now = self.now();
        let mut shard = self.shard(claim);
        let arrival_us = shard.get(&claim).copied().unwrap_or_default();
        store(&mut shard, claim, step.charge(arrival_us, now), now);
    }

    /// Takes over what Redis knows: the subject's allowance is exhausted for at least this long from now on.
    pub(crate) fn learn(&self, claim: Claim, exhausted_for: Duration) {
        let now = self.now();
        let known = now.saturating_add(micros(exhausted_for));
        let mut shard = self.shard(claim);
        let arrival_us = shard.get(&claim).copied().unwrap_or_default();
        if known > arrival_us {
            store(&mut shard, claim, known, now);
        }
    }

    fn now(&self) -> u64 {
        micros(self.start.elapsed())
    }

    fn shard(&self, claim: Claim) -> MutexGuard<'_, HashMap<Claim, u64>> {
        let at = usize::try_from(claim.subject() % SHARDS as u64).unwrap_or_default();
        let shard = self.shards.get(at).unwrap_or(&self.shards[0]);
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn store(shard: &mut HashMap<Claim, u64>, claim: Claim, arrival_us: u64, now: u64) {
    if shard.len() >= MAX_SUBJECTS && !shard.contains_key(&claim) {
        // What is over says as little as what was forgotten.
        shard.retain(|_, arrival_us| *arrival_us > now);
        if shard.len() >= MAX_SUBJECTS {
            return;
        }
    }
    shard.insert(claim, arrival_us);
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Class;

    fn claim(subject: u64) -> Claim {
        Claim::user(Class::Request, i64::try_from(subject).unwrap())
    }

    #[test]
    fn what_is_remembered_is_bounded_and_what_is_over_makes_room() {
        let local = Local::new();
        let long = Step {
            cost: 3_600_000_000,
            window: 3_600_000_000,
        };
        let max = (MAX_SUBJECTS * SHARDS) as u64;
        for subject in 0..max + 1000 {
            assert!(local.take(claim(subject), long).is_ok(), "{subject}");
        }
        let held: usize = local.shards.iter().map(|s| s.lock().unwrap().len()).sum();
        assert_eq!(held, MAX_SUBJECTS * SHARDS);
        assert!(local.take(claim(1), long).is_err(), "it is remembered");

        let local = Local::new();
        let short = Step { cost: 0, window: 1 };
        for subject in 0..max + 1000 {
            local.charge(claim(subject), short);
        }
        assert!(local.take(claim(max + 500), long).is_ok());
        assert!(local.take(claim(max + 500), long).is_err());
    }

    #[test]
    fn what_others_counted_is_learned_and_never_forgotten_for_less() {
        let local = Local::new();
        let step = Step {
            cost: 1_000_000,
            window: 60_000_000,
        };
        local.learn(claim(1), Duration::from_secs(90));
        local.learn(claim(1), Duration::from_secs(1));
        let wait = local.take(claim(1), step).unwrap_err();
        assert!(wait > Duration::from_secs(29), "{wait:?}");
    }
}
