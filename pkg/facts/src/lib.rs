//! Caches in the process: values that never change, or that may be shown for a moment after they have changed.
//!
//! Each cache is bounded by its number of entries. Hits and misses are in the metrics. The absence of something is never cached, because it
//! may come into being. A value that decides a write is never cached either.

use std::{
    collections::HashMap,
    fmt,
    hash::Hash,
    time::{Duration, Instant},
};

use quick_cache::sync::Cache;
use telemetry::metrics;

/// A cache of values `V` by key `K`. There is one for each kind of value.
pub struct Facts<K, V> {
    name: &'static str,
    known: Cache<K, (V, Instant)>,
    ttl: Option<Duration>,
}

impl<K: Eq + Hash + Clone, V: Clone> Facts<K, V> {
    /// An empty cache. `name` is its label in the metrics. It holds `max_entries` at most, and a value for `ttl` (none: for ever).
    pub fn new(name: &'static str, max_entries: usize, ttl: Option<Duration>) -> Self {
        Self {
            name,
            known: Cache::new(max_entries),
            ttl,
        }
    }

    /// The cached value of a key.
    pub fn get(&self, key: &K) -> Option<V> {
        let found = self.fresh(key);
        metrics::cache_lookups(self.name, found.is_some().into(), found.is_none().into());
        found
    }

    /// The cached values of these keys, and the keys that have none.
    pub fn get_all(&self, keys: impl IntoIterator<Item = K>) -> (HashMap<K, V>, Vec<K>) {
        let (mut known, mut unknown) = (HashMap::new(), Vec::new());
        for key in keys {
            match self.fresh(&key) {
                Some(fact) => drop(known.insert(key, fact)),
                None => unknown.push(key),
            }
        }
        metrics::cache_lookups(self.name, known.len(), unknown.len());
        (known, unknown)
    }

    /// Caches a value that was just read.
    pub fn insert(&self, key: K, fact: V) {
        self.known.insert(key, (fact, Instant::now()));
    }

    /// Invalidates the cached value of a key.
    pub fn remove(&self, key: &K) {
        self.known.remove(key);
    }

    fn fresh(&self, key: &K) -> Option<V> {
        let (fact, since) = self.known.get(key)?;
        let is_fresh = self.ttl.is_none_or(|ttl| since.elapsed() < ttl);
        is_fresh.then_some(fact)
    }
}

impl<K, V> fmt::Debug for Facts<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Facts").field("name", &self.name).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_learnt_is_known_for_its_ttl_and_the_rest_is_asked_for() {
        let facts = Facts::new("test", 100, None);
        assert_eq!(facts.get(&1), None);
        facts.insert(1, "one");
        assert_eq!(facts.get(&1), Some("one"));
        let (known, unknown) = facts.get_all([1, 2]);
        assert_eq!((known, unknown), (HashMap::from([(1, "one")]), vec![2]));

        facts.remove(&1);
        assert_eq!(facts.get(&1), None);

        let of_a_moment = Facts::new("test", 100, Some(Duration::ZERO));
        of_a_moment.insert(1, "one");
        assert_eq!(of_a_moment.get(&1), None);
    }

    #[test]
    fn no_more_is_remembered_than_was_said() {
        let facts = Facts::new("test", 100, None);
        (0..10_000).for_each(|n| facts.insert(n, n));
        let (known, _) = facts.get_all(0..10_000);
        assert!((1..=100).contains(&known.len()), "{}", known.len());
    }
}
