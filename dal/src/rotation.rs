//! The rotation: which replicas get reads, and which commits each is known to have.
//!
//! Every process polls its replicas ([`watch`]). A replica is ejected when it doesn't answer, its replication has stopped, it lags too much,
//! may commit in another order than the primary, or fails too many reads; it returns when it has caught up. The lag is measured against the primary's earlier positions, because a
//! replica that is cut off believes that it is up to date. At the start of a process there are none, so every replica starts ejected.

mod commit_order;
mod error_rate;
mod history;
mod semi_sync;
#[cfg(test)]
mod tests;
mod threads;
pub(crate) mod watch;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use marks::Commit;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use telemetry::metrics::Server;

use crate::{
    gtid::{Dialect, Gtids},
    pool::{ReadPool, within},
};

use error_rate::ErrorRate;

/// How long a replica that failed too many reads stays ejected at least, whatever the polls say.
const EJECTION_TIME: Duration = Duration::from_secs(1);
/// For the round trip of a statement that waits on the replica, in addition to its wait.
const WAIT_SLACK: Duration = Duration::from_millis(150);

/// The replicas of a process.
pub(crate) struct Rotation {
    replicas: Vec<Arc<Replica>>,
    next: AtomicUsize,
    seen: Mutex<Option<Commit>>,
    /// The position of `seen`, to be read without the lock.
    observed_seq: AtomicU64,
}

impl Rotation {
    pub(crate) fn new(replicas: Vec<Arc<Replica>>) -> Self {
        Self {
            replicas,
            next: AtomicUsize::new(0),
            seen: Mutex::default(),
            observed_seq: AtomicU64::new(0),
        }
    }

    pub(crate) fn all(&self) -> &[Arc<Replica>] {
        &self.replicas
    }

    /// A replica in rotation. A user or a page gets the same one in every process while it is in rotation, so that reads don't go back in time;
    /// anonymous reads take turns.
    pub(crate) fn pick(&self, affinity: Option<i64>) -> Option<&Arc<Replica>> {
        let well = self.replicas.iter().filter(|replica| replica.in_rotation());
        match affinity {
            // The highest weight: when a replica leaves, only those that kept to it move, each to the one with their next highest weight.
            Some(affinity) => well.max_by_key(|replica| weight(affinity, &replica.address)),
            None => {
                let well: Vec<_> = well.collect();
                let turn = self.next.fetch_add(1, Ordering::Relaxed);
                well.get(turn.checked_rem(well.len())?).copied()
            }
        }
    }

    /// Notes a commit that a reader has seen or requires: while the primary is away, a replica without it can't return.
    pub(crate) fn observe(&self, commit: &Commit) {
        if commit.seq <= self.observed_seq.load(Ordering::Relaxed) {
            return;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.as_ref().is_none_or(|seen| seen.seq < commit.seq) {
            *seen = Some(commit.clone());
            self.observed_seq.store(commit.seq, Ordering::Relaxed);
        }
    }

    /// The newest commit that this process knows of.
    fn newest_observed(&self) -> Option<Commit> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }
}

/// The weight of the replica at this address ("host:port") for a user or a page: rendezvous hashing. Every process of every version must compute the
/// same weight; otherwise the reads of a user by two processes can go back in time. FNV-1a (64 bits) over the id (8 bytes, little endian)
/// and the address, then the finalizer of MurmurHash3, because FNV gives addresses that differ in the last byte similar hashes.
fn weight(affinity: i64, address: &str) -> u64 {
    let bytes = affinity.to_le_bytes().into_iter().chain(address.bytes());
    let mut hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// A replica, its pool of connections and its state.
pub(crate) struct Replica {
    pub(crate) server: Server,
    /// "host:port"
    address: String,
    pub(crate) read_pool: ReadPool,
    state: Mutex<State>,
}

struct State {
    /// Why it is ejected; none: it is in rotation.
    out: Option<String>,
    /// Whether the ejection was logged.
    is_logged: bool,
    /// The primary's position at the first poll after the ejection: the replica must have it to return.
    catch_up: Option<Gtids>,
    /// After too many failed reads: it doesn't return before.
    ejected_until: Option<Instant>,
    /// The commits that it is known to have.
    applied: Option<Gtids>,
    /// The commits that it had at the last poll.
    last_applied: Option<Gtids>,
    /// The age of its data at the last poll.
    lag: Duration,
    errors: ErrorRate,
}

/// What a poll found at a replica that works.
struct ReplicaStatus {
    applied: Option<Gtids>,
    lag: Duration,
}

/// What an ejected replica must have to return.
#[derive(Debug)]
enum Readmission {
    /// The primary's position at the first poll after the ejection.
    CatchUp(Gtids),
    /// The primary is away: the newest commit that this process knows of.
    HasAll(Gtids),
    /// The primary is away, and this process knows of no commit: nothing is enough.
    Never,
    /// The primary has no GTIDs, so there is nothing to compare: everything is enough.
    Always,
}

impl Replica {
    pub(crate) fn new(index: usize, address: String, read_pool: ReadPool) -> Self {
        let state = State {
            out: Some("it hasn't been polled yet".to_owned()),
            is_logged: false,
            catch_up: None,
            ejected_until: None,
            applied: None,
            last_applied: None,
            lag: Duration::ZERO,
            errors: ErrorRate::default(),
        };
        Self {
            server: Server::Replica(index),
            address,
            read_pool,
            state: Mutex::new(state),
        }
    }

    /// Whether it is in rotation.
    pub(crate) fn in_rotation(&self) -> bool {
        self.state().out.is_none()
    }

    /// Why it isn't in rotation, if it isn't.
    pub(crate) fn why_ejected(&self) -> Option<String> {
        self.state().out.clone()
    }

    /// The age of its data at the last poll.
    pub(crate) fn lag(&self) -> Duration {
        self.state().lag
    }

    /// Whether it is known to have this commit.
    pub(crate) fn has(&self, dialect: Dialect, commit: &Commit) -> bool {
        let wanted = Gtids::parse(dialect, &commit.gtid);
        let state = self.state();
        state
            .applied
            .as_ref()
            .is_some_and(|has| has.covers(&wanted))
    }

    /// Waits for this commit, for at most `limit`; whether the replica has it. Doesn't wait if all its connections are in use.
    pub(crate) async fn wait_for(
        &self,
        dialect: Dialect,
        commit: &Commit,
        limit: Duration,
    ) -> bool {
        let Some(_permit) = self.read_pool.try_acquire() else {
            return false;
        };
        let values = [commit.gtid.as_str().into(), limit.as_secs_f64().into()];
        let wait = Statement::from_sql_and_values(DbBackend::MySql, dialect.wait(), values);
        let wait = within(limit + WAIT_SLACK, async {
            let row = self.read_pool.connection.query_one_raw(wait).await?;
            let late: Option<Option<i64>> = row.map(|row| row.try_get("", "late")).transpose()?;
            Ok::<_, DbErr>(late.flatten() == Some(0))
        });
        // If something is wrong with the replica, the polls find out.
        let has = wait.await.unwrap_or(false);
        if has {
            self.learn(Gtids::parse(dialect, &commit.gtid));
        }
        has
    }

    /// Counts a read that it answered.
    pub(crate) fn answered(&self) {
        self.state().errors.add(Instant::now(), false);
    }

    /// Counts a read that it failed, and ejects it if there were too many.
    pub(crate) fn failed(&self, reason: &DbErr) {
        let mut state = self.state();
        let now = Instant::now();
        if state.errors.add(now, true) {
            state.ejected_until = Some(now + EJECTION_TIME);
            self.eject(&mut state, format!("it fails too many reads: {reason}"));
        }
    }

    fn eject(&self, state: &mut State, reason: String) {
        if !state.is_logged {
            tracing::warn!(replica = %self.server.name(), reason, "a replica is out of rotation");
            state.is_logged = true;
        }
        state.out = Some(reason);
        state.catch_up = None;
    }

    fn learn(&self, has: Gtids) {
        let mut state = self.state();
        match &mut state.applied {
            Some(applied) => applied.join(has),
            none => *none = Some(has),
        }
    }

    /// Takes over what a poll found.
    fn update(&self, poll: Result<ReplicaStatus, String>, readmission: &Readmission) {
        let mut state = self.state();
        let ReplicaStatus { applied, lag } = match poll {
            Ok(found) => found,
            Err(reason) => return self.eject(&mut state, reason),
        };
        let lost = match (&state.last_applied, &applied) {
            (Some(before), Some(now)) => !now.covers(before),
            (before, now) => before.is_some() && now.is_none(),
        };
        if lost {
            // Another server answers at this address, or the replica was restored from a backup.
            self.eject(&mut state, "it has lost commits that it had".to_owned());
            state.applied = applied.clone();
        } else {
            // A read that waited may have found newer commits since the poll began.
            match (&mut state.applied, applied.clone()) {
                (Some(known), Some(applied)) => known.join(applied),
                (known, applied) => *known = applied,
            }
        }
        state.last_applied = applied;
        state.lag = lag;
        if state.out.is_some() {
            self.readmit(&mut state, readmission);
        }
    }

    /// Returns it to the rotation if it has what is required.
    fn readmit(&self, state: &mut State, readmission: &Readmission) {
        let wanted = match readmission {
            Readmission::Never => {
                let reason = "the primary hasn't been seen since this process started, so nobody knows how old it is";
                return self.eject(state, reason.to_owned());
            }
            Readmission::Always => None,
            Readmission::HasAll(seen) => Some(seen),
            Readmission::CatchUp(newest) => {
                let wanted = state.catch_up.get_or_insert_with(|| newest.clone());
                if !newest.covers(wanted) {
                    // A failover has lost commits: the replica can never have them.
                    newest.clone_into(wanted);
                }
                Some(&*wanted)
            }
        };
        let has = |wanted: &Gtids| {
            state
                .last_applied
                .as_ref()
                .is_some_and(|has| has.covers(wanted))
        };
        if !wanted.is_none_or(has) {
            let reason = match readmission {
                Readmission::HasAll(_) => {
                    "it lacks commits that were seen before the primary went away"
                }
                _ => "it has yet to catch up",
            };
            state.out = Some(reason.to_owned());
            return;
        }
        let now = Instant::now();
        if state.ejected_until.is_some_and(|until| until > now) {
            return;
        }
        state.out = None;
        state.is_logged = false;
        state.catch_up = None;
        state.errors = ErrorRate::default();
        tracing::info!(replica = %self.server.name(), "a replica is in rotation");
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
