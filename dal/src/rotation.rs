//! Which replicas are asked, and what each is known to have.
//!
//! Every process looks at its replicas by itself ([`Watch`]): a replica that doesn't answer, whose replication stands still, that
//! is too far behind or fails too many reads leaves the rotation, and returns by itself when it has what the primary had. How far
//! behind is told by the primary's position at earlier looks, not by what the replica believes: one that is cut off believes it
//! is up to date. A process that has just started knows no earlier looks, so for it every replica is out at first.

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

/// A replica that failed too many reads isn't asked for so long, whatever the looks say.
const EJECTION_TIME: Duration = Duration::from_secs(1);
/// What a wait on a replica may take beyond what it waits.
const WAIT_SLACK: Duration = Duration::from_millis(150);

/// The replicas of a process.
pub(crate) struct Rotation {
    replicas: Vec<Arc<Replica>>,
    next: AtomicUsize,
    seen: Mutex<Option<Commit>>,
    /// The place of what was seen.
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

    /// A replica that is well: for a user the same one in every process, as long as it is, so that time doesn't run backwards
    /// for them; for anybody else the next one.
    pub(crate) fn pick(&self, user_id: Option<i64>) -> Option<&Arc<Replica>> {
        let well = self.replicas.iter().filter(|replica| replica.in_rotation());
        match user_id {
            // The highest of the weights: when one leaves, only its users move, each to their second.
            Some(user_id) => well.max_by_key(|replica| weight(user_id, &replica.address)),
            None => {
                let well: Vec<_> = well.collect();
                let turn = self.next.fetch_add(1, Ordering::Relaxed);
                well.get(turn.checked_rem(well.len())?).copied()
            }
        }
    }

    /// Somebody has seen this commit, or asks for it: without the primary, a replica that lacks it doesn't return.
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

    /// The newest of all commits that this process has seen.
    fn newest_observed(&self) -> Option<Commit> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }
}

/// How much a user prefers the replica at this address ("host:port"): rendezvous hashing. Every process of every version must give
/// the same, or time runs backwards for whoever reads by two of them: FNV-1a (64 bits) over the id, 8 bytes in little endian, and
/// the address; then the finalizer of MurmurHash3, for FNV leaves addresses that differ in their last byte close to each other.
fn weight(user_id: i64, address: &str) -> u64 {
    let bytes = user_id.to_le_bytes().into_iter().chain(address.bytes());
    let mut hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// A replica, and how it is.
pub(crate) struct Replica {
    pub(crate) server: Server,
    /// "host:port"
    address: String,
    pub(crate) read_pool: ReadPool,
    state: Mutex<State>,
}

struct State {
    /// Why it isn't asked; none: it is in rotation.
    out: Option<String>,
    /// Whether the log has it that it is out.
    is_logged: bool,
    /// Where the primary was when this was first looked at after it had left: what it must have to return.
    catch_up: Option<Gtids>,
    /// Not before this.
    ejected_until: Option<Instant>,
    /// All commits that it is known to have.
    applied: Option<Gtids>,
    /// And what it had at the last look.
    last_applied: Option<Gtids>,
    /// How old what it has was at the last look.
    lag: Duration,
    errors: ErrorRate,
}

/// What a look found at a replica that is well.
struct ReplicaStatus {
    applied: Option<Gtids>,
    lag: Duration,
}

/// What a replica that is out must have before it is asked again.
#[derive(Debug)]
enum Readmission {
    /// Whatever the primary has at the first look.
    CatchUp(Gtids),
    /// The primary is away: all that anybody here has seen of it.
    HasAll(Gtids),
    /// The primary is away, and nothing is known of it.
    Never,
    /// There are no positions to be compared.
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

    /// How old what it has was at the last look.
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

    /// Waits until it has this commit, for at most `limit`; whether it has. Not at all when its connections are all in use.
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
        // Whatever is wrong with it, the looks find out.
        let has = wait.await.unwrap_or(false);
        if has {
            self.learn(Gtids::parse(dialect, &commit.gtid));
        }
        has
    }

    /// It answered a read.
    pub(crate) fn answered(&self) {
        self.state().errors.add(Instant::now(), false);
    }

    /// It failed a read: one failure too many takes it out of rotation.
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

    /// What a look found.
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
            // Another server answers at its address, or it was restored.
            self.eject(&mut state, "it has lost commits that it had".to_owned());
            state.applied = applied.clone();
        } else {
            // A wait may have learned more meanwhile.
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

    /// Takes it into rotation if it has what it must.
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
                    // A failover has lost commits, which nobody can catch up with.
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
