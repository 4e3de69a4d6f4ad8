//! Users that were read a moment ago, cached in the process.
//!
//! Others may be shown a profile for a moment after it has changed; its owner may not, whichever process they ask. So each user is cached with what
//! the read had to see, and for the user's own eyes that must be as much as they must see now.

use std::{collections::HashMap, time::Duration};

use facts::Facts;
use idl::user::User;
use marks::Consistency;

/// The viewers of a page, and what each of them must see.
pub type ViewerConsistency = HashMap<i64, Consistency>;

/// Cached users.
pub struct Users(Facts<i64, CachedUser>);

#[derive(Clone)]
struct CachedUser {
    user: User,
    /// What the read had to see.
    seen: Consistency,
}

impl Users {
    /// None is cached. At most `max` are, for `ttl`.
    pub fn new(max: usize, ttl: Duration) -> Self {
        Self(Facts::new("users", max, Some(ttl)))
    }

    /// Whether there was a user with this id a moment ago.
    pub fn contains(&self, id: i64) -> bool {
        self.0.get(&id).is_some()
    }

    /// The users among `ids` that are cached, and the ids of all others. A viewer counts as cached only if the read has seen what they
    /// must see now.
    pub fn get_all(
        &self,
        ids: impl IntoIterator<Item = i64>,
        viewers: &ViewerConsistency,
    ) -> (Vec<User>, Vec<i64>) {
        let (cached, mut unknown) = self.0.get_all(ids);
        let is_fresh = |cached: &CachedUser| {
            let needed = viewers.get(&cached.user.id);
            needed.is_none_or(|needed| cached.has_seen(needed))
        };
        let (fresh, stale): (Vec<CachedUser>, Vec<CachedUser>) =
            cached.into_values().partition(is_fresh);
        unknown.extend(stale.iter().map(|cached| cached.user.id));
        let fresh = fresh.into_iter().map(|cached| cached.user);
        (fresh.collect(), unknown)
    }

    /// Caches a user for the eyes of others.
    pub fn insert(&self, user: User) {
        self.insert_seen(user, Consistency::Any);
    }

    /// Caches a user that was just read. `seen`: what the read had to see.
    pub fn insert_seen(&self, user: User, seen: Consistency) {
        self.0.insert(user.id, CachedUser { user, seen });
    }

    /// Invalidates a cached user.
    pub fn remove(&self, id: i64) {
        self.0.remove(&id);
    }
}

impl CachedUser {
    /// Whether the read has surely seen what another that must see `needed` would see.
    fn has_seen(&self, needed: &Consistency) -> bool {
        match (&self.seen, needed) {
            // No mark: what they last wrote is older than any mark, and replicas have it.
            (_, Consistency::Any) => true,
            (Consistency::UpTo { commit: seen, .. }, Consistency::UpTo { commit: needed, .. }) => {
                seen.seq >= needed.seq
            }
            // Which commits the read saw isn't known.
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use marks::{Commit, StrictReason};

    use super::*;

    fn users() -> Users {
        Users::new(100, Duration::from_secs(60))
    }

    fn user(id: i64) -> User {
        User {
            id,
            ..User::default()
        }
    }

    fn up_to(seq: u64) -> Consistency {
        Consistency::UpTo {
            commit: Commit {
                seq,
                gtid: format!("0-1-{seq}"),
            },
            marked: true,
        }
    }

    /// Whether user 7 is cached for these viewers.
    fn is_cached(users: &Users, viewers: &ViewerConsistency) -> bool {
        let (cached, unknown) = users.get_all([7], viewers);
        assert_eq!(cached.len() + unknown.len(), 1);
        !cached.is_empty()
    }

    #[test]
    fn for_the_users_own_eyes_a_read_counts_that_has_seen_as_much_as_they_must_see_now() {
        let unknown = Consistency::All(StrictReason::Unknown);
        for (seen, needed, own) in [
            (Consistency::Any, Consistency::Any, true),
            (Consistency::Any, up_to(1), false),
            (up_to(1), up_to(1), true),
            (up_to(2), up_to(1), true),
            (up_to(1), up_to(2), false),
            (unknown.clone(), up_to(1), false),
            (up_to(1), unknown.clone(), false),
            (unknown.clone(), unknown, false),
        ] {
            let users = users();
            users.insert_seen(user(7), seen.clone());
            let others = ViewerConsistency::from([(8, up_to(9))]);
            assert!(is_cached(&users, &others), "others are shown it");
            let viewers = ViewerConsistency::from([(7, needed), (8, Consistency::Any)]);
            assert_eq!(is_cached(&users, &viewers), own, "{seen:?} {viewers:?}");
        }
    }

    #[test]
    fn a_user_is_asked_for_until_one_is_inserted_and_after_it_is_removed() {
        let (users, nobody) = (users(), ViewerConsistency::new());
        assert!(!is_cached(&users, &nobody) && !users.contains(7));
        users.insert(user(7));
        assert!(is_cached(&users, &nobody) && users.contains(7));
        users.remove(7);
        assert!(!is_cached(&users, &nobody) && !users.contains(7));
    }
}
