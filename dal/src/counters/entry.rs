//! The form of a counter in Redis: its key, and its value, the text "count seq renewed_s".

use std::{
    collections::HashMap,
    time::{SystemTime, UNIX_EPOCH},
};

use redis_client::leases::Bucket;

use crate::counts::Counter;

/// Buckets of each of the two databases in a cluster: enough to use all nodes, and few enough to renew a lease in each.
const CLUSTER_BUCKETS: usize = 64;
/// Longest count, in digits: any i64 has as many or nearly.
const COUNT_DIGITS: usize = 18;
/// Longest sequence and time, in digits: what Lua's numbers hold exactly.
const NUMBER_DIGITS: usize = 15;

/// A count as Redis holds it. Anything that isn't written exactly like this counts as absent, and is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) count: i64,
    /// The position of a commit that `count` includes. An entry whose position is before that of the epoch's commit may be old.
    pub(super) seq: u64,
    /// When the expiry was renewed, in seconds since 1970, by the clock of the process that renewed it.
    pub(super) renewed_s: u64,
}

impl Entry {
    pub(super) fn parse(text: &[u8]) -> Option<Self> {
        let mut parts = std::str::from_utf8(text).ok()?.split(' ');
        let mut next = |longest: usize| {
            parts.next().filter(|part| {
                (1..=longest).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit())
            })
        };
        let entry = Self {
            count: next(COUNT_DIGITS)?.parse().ok()?,
            seq: next(NUMBER_DIGITS)?.parse().ok()?,
            renewed_s: next(NUMBER_DIGITS)?.parse().ok()?,
        };
        parts.next().is_none().then_some(entry)
    }
}

/// The position of an epoch's commit: an epoch is "run token seq gtid".
pub(super) fn epoch_seq(text: &[u8]) -> Option<u64> {
    let mut parts = std::str::from_utf8(text).ok()?.split(' ');
    parts.nth(2)?.parse().ok()
}

/// The database of a counter, by the first letter of its name.
pub(super) fn database(counter: Counter) -> char {
    match counter {
        Counter::VideoComments(_) => 'c',
        _ => 'f',
    }
}

/// The count to show and store: never below 0.
pub(super) fn clamped(count: i64) -> i64 {
    count.max(0)
}

pub(super) fn now_s() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

/// The names of the keys.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    pub(super) prefix: String,
    /// In a cluster the part in braces decides the node. Counters have their bucket's there, so that they are on one node with the leases
    /// that guard them.
    pub(super) is_cluster: bool,
}

impl Keys {
    /// The bucket whose leases guard a counter.
    pub(super) fn bucket(&self, counter: Counter) -> usize {
        let (_, id) = counter.parts();
        let buckets = self.buckets() as u64;
        usize::try_from(id.unsigned_abs() % buckets).unwrap_or_default()
    }

    /// Buckets of a database.
    pub(super) fn buckets(&self) -> usize {
        if self.is_cluster { CLUSTER_BUCKETS } else { 1 }
    }

    /// The keys of a bucket of the database whose name begins with this letter.
    pub(super) fn lease_bucket(&self, database: char, bucket: usize) -> Bucket {
        let Self { prefix, is_cluster } = self;
        Bucket::new(&match is_cluster {
            true => format!("{prefix}{{{database}{bucket}}}"),
            false => format!("{prefix}counts"),
        })
    }

    pub(super) fn of(&self, counter: Counter) -> String {
        let (owner, id, what) = match counter {
            Counter::VideoFavorites(id) => ('v', id, "favorites"),
            Counter::VideoComments(id) => ('v', id, "comments"),
            Counter::UserFavorited(id) => ('u', id, "favorited"),
            Counter::UserFavorites(id) => ('u', id, "favorites"),
            Counter::UserWorks(id) => ('u', id, "works"),
            Counter::UserFollows(id) => ('u', id, "follows"),
            Counter::UserFollowers(id) => ('u', id, "followers"),
        };
        match self.is_cluster {
            true => {
                let (database, bucket) = (database(counter), self.bucket(counter));
                format!("{}{{{database}{bucket}}}:{owner}{id}:{what}", self.prefix)
            }
            false => format!("{}{{{owner}{id}}}:{what}", self.prefix),
        }
    }

    /// The lock of the loader of the counter at this key.
    pub(super) fn lock(key: &str) -> String {
        format!("{key}:lock")
    }

    /// For `SCAN`. The prefix has none of a pattern's characters.
    pub(super) fn pattern(&self) -> String {
        format!("{}{{*}}:*", self.prefix)
    }

    /// The inverse of [`Self::of`]; none for a lock or a foreign key.
    pub(super) fn parse(&self, key: &str) -> Option<Counter> {
        let tag = key.strip_prefix(&self.prefix)?.strip_prefix('{')?;
        let (tag, what) = match (tag.split_once("}:")?, self.is_cluster) {
            ((_, counter), true) => counter.split_once(':')?,
            (counter, false) => counter,
        };
        let id = tag.get(1..)?.parse().ok()?;
        let counter = match (tag.get(..1)?, what) {
            ("v", "favorites") => Counter::VideoFavorites(id),
            ("v", "comments") => Counter::VideoComments(id),
            ("u", "favorited") => Counter::UserFavorited(id),
            ("u", "favorites") => Counter::UserFavorites(id),
            ("u", "works") => Counter::UserWorks(id),
            ("u", "follows") => Counter::UserFollows(id),
            ("u", "followers") => Counter::UserFollowers(id),
            _ => return None,
        };
        (self.of(counter) == key).then_some(counter)
    }
}

/// Those of `counters` that have no value yet.
pub(super) fn without_value(counters: &[Counter], values: &HashMap<Counter, i64>) -> Vec<Counter> {
    let has_none = |counter: &&Counter| !values.contains_key(counter);
    counters.iter().filter(has_none).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exactly_what_the_scripts_write_is_an_entry() {
        let entry = Entry {
            count: 7,
            seq: 123,
            renewed_s: 1_700_000_000,
        };
        assert_eq!(Entry::parse(b"7 123 1700000000"), Some(entry));
        let longest = b"999999999999999999 999999999999999 999999999999999";
        assert!(Entry::parse(longest).is_some());
        for garbage in [
            "",
            "7",
            "7 123",
            "-7 123 1",
            "+7 123 1",
            "7 123 1 ",
            "7  123 1",
            "7 123 1 1",
            "7 x 1",
            "1999999999999999999 1 1",
            "7 1999999999999999 1",
        ] {
            assert_eq!(Entry::parse(garbage.as_bytes()), None, "{garbage:?}");
        }
        assert_eq!(Entry::parse(&[0xff, b' ', b'1']), None);
    }

    #[test]
    fn a_key_names_its_counter_and_nothing_else_does() {
        let keys = Keys {
            prefix: "p:".to_owned(),
            is_cluster: false,
        };
        for (counter, key) in [
            (Counter::VideoFavorites(1), "p:{v1}:favorites"),
            (Counter::VideoComments(2), "p:{v2}:comments"),
            (Counter::UserFavorited(3), "p:{u3}:favorited"),
            (Counter::UserFavorites(4), "p:{u4}:favorites"),
            (Counter::UserFollows(5), "p:{u5}:follows"),
            (Counter::UserFollowers(6), "p:{u6}:followers"),
            (
                Counter::UserWorks(i64::MAX),
                "p:{u9223372036854775807}:works",
            ),
        ] {
            assert_eq!(keys.of(counter), key);
            assert_eq!(keys.parse(key), Some(counter));
        }
        for foreign in [
            "{v1}:favorites",
            "p:{v1}:favorites:lock",
            "p:{v01}:favorites",
            "p:{v}:favorites",
            "p:{}:favorites",
            "p:{é1}:favorites",
            "p:{v1}:works",
            "q:{v1}:favorites",
            "p:{f1}:v1:favorites",
        ] {
            assert_eq!(keys.parse(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn in_a_cluster_a_counter_is_where_the_leases_are_by_which_it_is_trusted() {
        let keys = Keys {
            prefix: "p:".to_owned(),
            is_cluster: true,
        };
        for (counter, key, leases) in [
            (
                Counter::VideoFavorites(65),
                "p:{f1}:v65:favorites",
                "p:{f1}:leases",
            ),
            (
                Counter::VideoComments(64),
                "p:{c0}:v64:comments",
                "p:{c0}:leases",
            ),
            (Counter::UserWorks(7), "p:{f7}:u7:works", "p:{f7}:leases"),
        ] {
            assert_eq!(keys.of(counter), key);
            assert_eq!(keys.parse(key), Some(counter));
            let bucket = keys.lease_bucket(database(counter), keys.bucket(counter));
            assert_eq!(bucket.leases, leases);
        }
        for foreign in ["p:{f2}:v65:favorites", "p:{v65}:favorites", "p:{f1}:epoch"] {
            assert_eq!(keys.parse(foreign), None, "{foreign}");
        }
    }
}
