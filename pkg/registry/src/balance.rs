//! The load balancer: picks an instance at random by weight, and passes over instances that failed a moment ago.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rand::Rng as _;
use tokio::time::Instant;

use crate::{Instance, Instances, RegistryError};

/// How long a failed instance is ejected. Then one call tries it, and only a success brings it back.
const EJECTION: Duration = Duration::from_secs(3);

/// Spreads the calls of this process over the instances of one service.
pub struct Balancer {
    instances: Instances,
    /// Ejected instances and when they may be tried again. It reacts at once, while a lease outlives a killed process by seconds.
    ejected: Mutex<HashMap<SocketAddr, Instant>>,
}

impl Balancer {
    /// Balances over `instances`.
    pub fn new(instances: Instances) -> Self {
        Self {
            instances,
            ejected: Mutex::default(),
        }
    }

    /// Picks an instance that is not in `tried`; none when all were tried. Ejected ones come last.
    ///
    /// # Errors
    /// When no instance is known by `deadline`.
    pub async fn pick(
        &self,
        tried: &[SocketAddr],
        deadline: Instant,
    ) -> Result<Option<SocketAddr>, RegistryError> {
        let instances = self.instances.ready(deadline).await?;
        let untried = || instances.iter().filter(|i| !tried.contains(&i.address));
        let now = Instant::now();
        let mut ejected = self.ejected();
        if ejected.is_empty() {
            return Ok(weighted(untried()));
        }
        let in_rotation = |i: &&Instance| ejected.get(&i.address).is_none_or(|until| *until <= now);
        let picked = weighted(untried().filter(in_rotation)).or_else(|| weighted(untried()));
        // While this call tries the instance, other calls still skip it.
        if let Some(until) = picked.and_then(|address| ejected.get_mut(&address)) {
            *until = now + EJECTION;
        }
        Ok(picked)
    }

    /// Whether another instance than those in `tried` is known.
    pub fn has_other(&self, tried: &[SocketAddr]) -> bool {
        self.instances
            .current()
            .iter()
            .any(|i| !tried.contains(&i.address))
    }

    /// The instance answered.
    pub fn succeeded(&self, address: SocketAddr) {
        let mut ejected = self.ejected();
        if !ejected.is_empty() {
            ejected.remove(&address);
        }
    }

    /// The instance could not be reached, or the connection to it broke.
    pub fn failed(&self, address: SocketAddr) {
        let known = self.instances.current();
        let mut ejected = self.ejected();
        ejected.retain(|address, _| known.iter().any(|i| i.address == *address));
        ejected.insert(address, Instant::now() + EJECTION);
    }

    fn ejected(&self) -> MutexGuard<'_, HashMap<SocketAddr, Instant>> {
        // No code that could panic runs under this lock.
        self.ejected.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn weighted<'a>(candidates: impl Iterator<Item = &'a Instance> + Clone) -> Option<SocketAddr> {
    let total: u64 = candidates.clone().map(|i| u64::from(i.weight)).sum();
    if total == 0 {
        return None;
    }
    let mut left = rand::rng().random_range(0..total);
    for candidate in candidates {
        let weight = u64::from(candidate.weight);
        if left < weight {
            return Some(candidate.address);
        }
        left -= weight;
    }
    None
}
