//! Which replicas are asked, and what each is known to have.
//!
//! Every process looks at its replicas by itself, a few times a second: a replica that doesn't answer, whose replication stands
//! still, or that is too far behind leaves the rotation, and returns by itself. How far behind is told by the primary's
//! position at earlier looks, not by what the replica believes: a replica that is cut off believes it is up to date.

mod threads;

use std::{
    collections::VecDeque,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures::future::join_all;
use marks::Commit;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement};
use telemetry::metrics::Server;
use tokio::{sync::OnceCell, time::MissedTickBehavior};

use crate::{
    db::show_semi_sync,
    gtid::{Dialect, Gtids},
    pool::within,
};

/// Between two looks. A fault is noticed after one of them and its deadline.
const PERIOD: Duration = Duration::from_millis(250);
/// The most that a look may take.
const LOOK_DEADLINE: Duration = Duration::from_secs(1);
/// A replica that failed a read isn't asked for so long, whatever the looks say.
const REST: Duration = Duration::from_secs(1);
/// Positions of the primary that are remembered at most: two minutes of writes.
const MAX_REMEMBERED: usize = 600;
/// What a wait on a replica may take beyond what it waits.
const WAIT_SLACK: Duration = Duration::from_millis(150);

/// The replicas of a process.
pub(crate) struct Rotation {
    replicas: Vec<Arc<Replica>>,
    next: AtomicUsize,
    hasher: RandomState,
}

impl Rotation {
    pub(crate) fn new(replicas: Vec<Arc<Replica>>) -> Self {
        Self {
            replicas,
            next: AtomicUsize::new(0),
            hasher: RandomState::new(),
        }
    }

    pub(crate) fn all(&self) -> &[Arc<Replica>] {
        &self.replicas
    }

    /// A replica that is well: for a user always the same, as long as it is, so that time doesn't run backwards for them; for
    /// anybody else the next one.
    pub(crate) fn pick(&self, user_id: Option<i64>) -> Option<&Arc<Replica>> {
        let well = self.replicas.iter().filter(|replica| replica.is_well());
        match user_id {
            // The highest of random weights: when one leaves, only its users move.
            Some(user_id) => well.max_by_key(|replica| self.weight(user_id, replica)),
            None => {
                let well: Vec<_> = well.collect();
                let turn = self.next.fetch_add(1, Ordering::Relaxed);
                well.get(turn.checked_rem(well.len())?).copied()
            }
        }
    }

    fn weight(&self, user_id: i64, replica: &Replica) -> u64 {
        self.hasher.hash_one((user_id, replica.server.name()))
    }
}

/// A replica, and how it is.
pub(crate) struct Replica {
    pub(crate) server: Server,
    pub(crate) connection: DatabaseConnection,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Why it isn't asked; none: it is in rotation.
    out: Option<String>,
    /// Not before this.
    rests_until: Option<Instant>,
    /// All commits that it is known to have.
    applied: Option<Gtids>,
    /// How old what it has was at the last look.
    behind: Duration,
}

impl Replica {
    pub(crate) fn new(index: usize, connection: DatabaseConnection) -> Self {
        Self {
            server: Server::Replica(index),
            connection,
            state: Mutex::default(),
        }
    }

    /// Whether it is in rotation.
    pub(crate) fn is_well(&self) -> bool {
        self.state().out.is_none()
    }

    /// Why it isn't in rotation, if it isn't.
    pub(crate) fn why_out(&self) -> Option<String> {
        self.state().out.clone()
    }

    /// How old what it has was at the last look.
    pub(crate) fn behind(&self) -> Duration {
        self.state().behind
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

    /// Waits until it has this commit, for at most `limit`; whether it has.
    pub(crate) async fn wait_for(
        &self,
        dialect: Dialect,
        commit: &Commit,
        limit: Duration,
    ) -> bool {
        let values = [commit.gtid.as_str().into(), limit.as_secs_f64().into()];
        let wait = Statement::from_sql_and_values(DbBackend::MySql, dialect.wait(), values);
        let wait = within(limit + WAIT_SLACK, async {
            let row = self.connection.query_one_raw(wait).await?;
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

    /// Takes it out of rotation after a read that failed.
    pub(crate) fn failed(&self, reason: &DbErr) {
        let mut state = self.state();
        state.rests_until = Some(Instant::now() + REST);
        self.leave(&mut state, reason.to_string());
    }

    fn leave(&self, state: &mut State, reason: String) {
        if state.out.is_none() {
            tracing::warn!(replica = %self.server.name(), reason, "a replica leaves the rotation");
        }
        state.out = Some(reason);
    }

    fn learn(&self, has: Gtids) {
        let mut state = self.state();
        match &mut state.applied {
            Some(applied) => applied.join(has),
            none => *none = Some(has),
        }
    }

    /// What a look found.
    fn settle(&self, look: Result<Found, String>) {
        let mut state = self.state();
        match look {
            Err(reason) => self.leave(&mut state, reason),
            Ok(Found { applied, behind }) => {
                // A wait may have learned more meanwhile.
                match (&mut state.applied, applied) {
                    (Some(known), Some(applied)) => known.join(applied),
                    (known, applied) => *known = applied,
                }
                state.behind = behind;
                if state
                    .rests_until
                    .is_some_and(|until| until > Instant::now())
                {
                    return;
                }
                if state.out.take().is_some() {
                    tracing::info!(replica = %self.server.name(), "a replica is back in rotation");
                }
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a look found at a replica that is well.
struct Found {
    applied: Option<Gtids>,
    behind: Duration,
}

/// Looks at the replicas of a process, until they are gone.
pub(crate) struct Watch {
    pub(crate) rotation: Weak<Rotation>,
    pub(crate) dialect: Arc<OnceCell<Dialect>>,
    /// A connection of its own to the primary.
    pub(crate) primary: DatabaseConnection,
    /// And one to each replica: a read that waits for a connection says nothing about replication.
    pub(crate) replicas: Vec<DatabaseConnection>,
    /// A replica that is further behind is too late.
    pub(crate) max_lag: Duration,
}

impl Watch {
    pub(crate) async fn run(self) {
        let mut history = History::default();
        let mut tick = tokio::time::interval(PERIOD);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let newest = within(LOOK_DEADLINE, self.newest()).await;
            let Some(rotation) = self.rotation.upgrade() else {
                return;
            };
            let primary_answers = newest.is_ok();
            if primary_answers {
                // What it can't tell is told by the next look that can.
                let _ = within(LOOK_DEADLINE, show_semi_sync(&self.primary)).await;
            }
            if let Ok(Some(newest)) = newest {
                history.add(newest);
            }
            let looks = rotation.all().iter().zip(&self.replicas);
            let looks = looks.map(async |(replica, session)| {
                let look = self.look(session, &history, primary_answers);
                let found = within(LOOK_DEADLINE, look).await;
                replica.settle(found.unwrap_or_else(|error| Err(error.to_string())));
            });
            join_all(looks).await;
            history.forget(rotation.all());
        }
    }

    /// All commits of the primary so far.
    async fn newest(&self) -> Result<Option<Gtids>, DbErr> {
        let dialect = known_dialect(&self.dialect, &self.primary).await?;
        let newest = dialect.ask(&self.primary, dialect.newest()).await?;
        Ok(newest.map(|commit| Gtids::parse(dialect, &commit.gtid)))
    }

    /// What a replica has; or why it must not be asked.
    async fn look(
        &self,
        session: &DatabaseConnection,
        history: &History,
        primary_answers: bool,
    ) -> Result<Result<Found, String>, DbErr> {
        let dialect = known_dialect(&self.dialect, session).await?;
        let applied = dialect.ask(session, dialect.applied()).await?;
        let applied = applied.map(|commit| Gtids::parse(dialect, &commit.gtid));
        if let Some(thread) = threads::stopped(session, primary_answers).await? {
            return Ok(Err(format!("its {thread} thread doesn't run")));
        }
        let behind = history.age(applied.as_ref());
        if behind > self.max_lag {
            return Ok(Err(format!("it is {} s behind", behind.as_secs())));
        }
        Ok(Ok(Found { applied, behind }))
    }
}

/// How the servers speak of commits: asked of `session` the first time.
pub(crate) async fn known_dialect<C: ConnectionTrait>(
    known: &OnceCell<Dialect>,
    session: &C,
) -> Result<Dialect, DbErr> {
    let ask = async || {
        let sql = "SELECT VERSION() AS version";
        let statement = Statement::from_string(DbBackend::MySql, sql);
        let row = session.query_one_raw(statement).await?;
        let version: Option<String> = row.map(|row| row.try_get("", "version")).transpose()?;
        Ok(Dialect::of_version(&version.unwrap_or_default()))
    };
    known.get_or_try_init(ask).await.copied()
}

/// Where the primary was, and when: what a replica lacks of it tells how old its data is.
#[derive(Default)]
struct History(VecDeque<(Instant, Gtids)>);

impl History {
    fn add(&mut self, newest: Gtids) {
        if self.0.back().is_some_and(|(_, last)| *last == newest) {
            return;
        }
        if self.0.len() >= MAX_REMEMBERED {
            // Whoever lacks the oldest is judged by that one.
            self.0.pop_back();
        }
        self.0.push_back((Instant::now(), newest));
    }

    /// How long ago the primary had something that `applied` lacks.
    fn age(&self, applied: Option<&Gtids>) -> Duration {
        let lacks = |gtids: &Gtids| !applied.is_some_and(|applied| applied.covers(gtids));
        let first = self.0.iter().find(|(_, gtids)| lacks(gtids));
        first.map_or(Duration::ZERO, |(at, _)| at.elapsed())
    }

    /// Drops what all have.
    fn forget(&mut self, replicas: &[Arc<Replica>]) {
        while self.0.len() > 1
            && self.0.front().is_some_and(|(_, gtids)| {
                replicas.iter().all(|replica| {
                    let state = replica.state();
                    state.applied.as_ref().is_some_and(|has| has.covers(gtids))
                })
            })
        {
            self.0.pop_front();
        }
    }
}

#[cfg(test)]
mod tests;
