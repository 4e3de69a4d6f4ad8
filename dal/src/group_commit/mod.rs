//! Group commit: while some batches commit, the next one fills. Nobody waits for a timer, so a lone op goes at once.
//!
//! Ops that conflict ([`Op::conflict`]) keep their order: of each conflict one is being committed, and a later one goes with a later batch.
//! Whoever is answered has been committed, and Redis knows; a failure that leaves that open is told as such, and nothing is repeated.
//! What Redis is told of one batch is told while the next one commits.

mod attempt;
mod outcomes;
mod session;

use std::{
    collections::{HashSet, VecDeque},
    hash::Hash,
    sync::Arc,
    time::{Duration, Instant},
};

use sea_orm::DbErr;
use telemetry::{
    cost::{self, Cost},
    metrics::{self, Verb},
    trace,
};
use tokio::sync::{
    OwnedSemaphorePermit, Semaphore,
    mpsc::{self, error::TrySendError},
    oneshot,
};
use tracing::Instrument as _;

pub(crate) use attempt::{Attempt, BEGIN_ANEW, Begin, Committed, Outcome};
pub(crate) use outcomes::Outcomes;
pub(crate) use session::Answer;

use crate::{
    DalError, Db,
    counters::Counters,
    db::{MAX_RETRIES, WRITE_DEADLINE},
    ledger::{self, Changes},
    observe::on_primary,
    pool::within,
};
use session::Session;

/// Batches that are committed at once: a commit waits for disks and a replica, and the server shares those waits between commits. More of
/// them make the batches smaller, and so each op dearer. Fewer where the pool is small ([`Db::max_writers`]).
const MAX_WORKERS: usize = 4;
/// With more ops than this, large batches cost less than waits: see [`may_start`].
const MANY_OPS: usize = 16;
/// Batches that are committed at once then, at most.
const LARGE: usize = 2;
/// Ops in a batch at most.
const MAX_BATCH: usize = 256;
/// Ops that are looked at for a batch: more than it takes, so that many that conflict don't keep out the others.
const LOOK_AHEAD: usize = 4 * MAX_BATCH;
/// Ops that may wait. When they are more, the database is too slow for them, and waiting would not help.
const MAX_WAITING: usize = 4096;
/// Batches that are committed and of which Redis isn't told yet, at most.
const MAX_UNTOLD: usize = 16;
/// Whoever waits for no longer than this isn't taken into a batch: their deadline would be that of all others in it.
const LAST_CALL: Duration = Duration::from_millis(300);
/// When nothing happens for so long, the connections are given back.
const IDLE: Duration = Duration::from_secs(1);

/// Something to write, together with others of its kind.
pub(crate) trait Op: Send + Sync + Sized + 'static {
    /// What the metrics call those that wait.
    const QUEUE: &'static str;
    /// What becomes of it.
    type Output: Send + 'static;
    /// What two ops have in common that may not be in one batch.
    type Conflict: Eq + Hash + Send;

    /// None: it may be in a batch with any other.
    fn conflict(&self) -> Option<Self::Conflict>;

    /// Commits all of `ops`, or what is left of them when those are taken out that fail alone; what became of each, in their order.
    /// An error: nothing of them was committed, or it isn't known. May be called again for the same ops.
    fn commit(
        ops: &[&Self],
        attempt: &mut Attempt<'_>,
    ) -> impl Future<Output = Result<Done<Self>, DalError>> + Send;
}

/// What became of each op of a batch, and its commit.
pub(crate) type Done<O> = (Vec<Result<<O as Op>::Output, DalError>>, Committed);

/// Takes ops from many and commits them in batches. Cheap to clone; one a process and kind.
pub(crate) struct Queue<O: Op>(mpsc::Sender<Job<O>>);

impl<O: Op> Clone for Queue<O> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// An op, and who waits for its outcome.
struct Job<O: Op> {
    op: O,
    /// It is carried out before that, or not at all.
    deadline: Instant,
    done: oneshot::Sender<(Result<O::Output, DalError>, Cost)>,
}

impl<O: Op> Queue<O> {
    /// Starts the worker, in a tokio runtime; it ends when the last clone is gone and nothing waits any more.
    pub(crate) fn start(db: Db, counters: Counters) -> Self {
        let (sender, jobs) = mpsc::channel(MAX_WAITING);
        let worker = || Worker {
            session: Session::new(db.clone()),
            db: db.clone(),
            counters: counters.clone(),
        };
        let workers = MAX_WORKERS.min(db.max_writers());
        let dispatcher = Dispatcher::<O> {
            workers,
            jobs,
            waiting: VecDeque::new(),
            free: (0..workers).map(|_| worker()).collect(),
            in_flight: HashSet::new(),
            ops_in_flight: 0,
            untold: Arc::new(Semaphore::new(MAX_UNTOLD)),
            turn: None,
        };
        vital::spawn(O::QUEUE, dispatcher.run());
        Self(sender)
    }

    /// Commits `op`, for somebody who waits no longer than `limit`. When this returns, it is committed, counted, and in Redis. A call
    /// that is dropped may still be carried out, within its limit and never later.
    ///
    /// [`DalError::Unavailable`] and [`DalError::TimedOut`]: it may or may not have happened, except that too many ops waiting is
    /// `Unavailable` too; but it doesn't happen any more.
    pub(crate) async fn commit(&self, op: O, limit: Duration) -> Result<O::Output, DalError> {
        let limit = limit.min(WRITE_DEADLINE);
        let deadline = Instant::now() + limit;
        let (done, outcome) = oneshot::channel();
        self.0
            .try_send(Job { op, deadline, done })
            .map_err(|e| match e {
                TrySendError::Full(_) => {
                    metrics::semaphore_refused(O::QUEUE);
                    refused("too many writes are waiting")
                }
                TrySendError::Closed(_) => refused("the writer has ended"),
            })?;
        let _waiting = metrics::in_queue(O::QUEUE);
        let (result, spent) = within(limit, async {
            outcome.await.map_err(|_| refused("the writer has ended"))
        })
        .instrument(trace::call("mysql", "shared write"))
        .await?;
        cost::add(spent);
        result
    }
}

fn refused(reason: &str) -> DalError {
    DalError::Unavailable(DbErr::Custom(reason.to_owned()))
}

/// Makes batches of what waits, and gives each to a worker that is free.
struct Dispatcher<O: Op> {
    jobs: mpsc::Receiver<Job<O>>,
    waiting: VecDeque<Job<O>>,
    workers: usize,
    /// The one that was busy last is the last: its connection is known to be whole.
    free: Vec<Worker>,
    in_flight: HashSet<O::Conflict>,
    ops_in_flight: usize,
    untold: Arc<Semaphore>,
    /// Of the next batch.
    turn: Option<OwnedSemaphorePermit>,
}

/// Commits a batch at a time.
struct Worker {
    db: Db,
    counters: Counters,
    session: Session,
}

impl<O: Op> Dispatcher<O> {
    async fn run(mut self) {
        let workers = self.workers;
        let (done, mut ended) = mpsc::channel::<(Worker, Vec<O::Conflict>, usize)>(workers);
        loop {
            while self.waiting.len() < LOOK_AHEAD
                && let Ok(job) = self.jobs.try_recv()
            {
                self.waiting.push_back(job);
            }
            if let Some((mut worker, batch, turn)) = self.next() {
                let conflicts: Vec<O::Conflict> = batch.iter().filter_map(Job::conflict).collect();
                self.in_flight
                    .extend(batch.iter().filter_map(Job::conflict));
                let (done, ops) = (done.clone(), batch.len());
                self.ops_in_flight += ops;
                vital::spawn(O::QUEUE, async move {
                    worker.settle(batch, turn).await;
                    // An error would be the end of the dispatcher.
                    let _ = done.send((worker, conflicts, ops)).await;
                });
                continue;
            }
            let is_open = !self.jobs.is_closed();
            if !is_open && self.waiting.is_empty() && self.free.len() == workers {
                return;
            }
            tokio::select! {
                job = self.jobs.recv(), if is_open && self.waiting.len() < LOOK_AHEAD => {
                    self.waiting.extend(job);
                }
                Some((worker, conflicts, ops)) = ended.recv() => {
                    self.ops_in_flight = self.ops_in_flight.saturating_sub(ops);
                    for conflict in &conflicts {
                        self.in_flight.remove(conflict);
                    }
                    for idle in &mut self.free {
                        idle.session.release_old();
                    }
                    self.free.push(worker);
                }
                Ok(turn) = self.untold.clone().acquire_owned(), if self.turn.is_none() => {
                    self.turn = Some(turn);
                }
                () = tokio::time::sleep(IDLE) => {
                    for worker in &mut self.free {
                        worker.session.release();
                    }
                }
            }
        }
    }

    /// A worker and what it is to commit; none as long as there is nothing to commit, or nobody to do it.
    fn next(&mut self) -> Option<(Worker, Vec<Job<O>>, OwnedSemaphorePermit)> {
        let batches = self.workers.saturating_sub(self.free.len());
        let may_start = may_start(batches, self.ops_in_flight, self.waiting.len());
        if !may_start || self.free.is_empty() || self.turn.is_none() {
            return None;
        }
        let batch = next_batch(&mut self.waiting, &self.in_flight);
        if batch.is_empty() {
            return None;
        }
        Some((self.free.pop()?, batch, self.turn.take()?))
    }
}

/// Whether a batch of those that wait may start beside those that are being committed. With few ops it may: they wait for nobody. With many,
/// a small batch beside a large one would cost as much as a large one, and whoever comes next would wait for both. So it starts when it
/// is as large, or when the other has ended: nobody waits for more than one batch before their own.
fn may_start(batches: usize, in_flight: usize, waiting: usize) -> bool {
    let are_few = in_flight.saturating_add(waiting) <= MANY_OPS;
    batches == 0 || are_few || (batches < LARGE && waiting >= in_flight)
}

impl Worker {
    /// Commits a batch, by the deadline of who is in the greatest hurry, and has everyone in it answered. Where the batch as a whole is
    /// refused, each op goes alone: a bad one fails by itself.
    async fn settle<O: Op>(&mut self, batch: Vec<Job<O>>, turn: OwnedSemaphorePermit) {
        let tried = self.commit(&batch).await;
        match tried.result {
            Err(ref error) if batch.len() > 1 && !is_unknown(error) => {
                tracing::warn!(%error, queue = O::QUEUE, ops = batch.len(), "a batch failed; its ops go one by one");
                self.settle_one_by_one(batch).await;
            }
            _ => self.tell(batch, tried, Some(turn)),
        }
    }

    async fn settle_one_by_one<O: Op>(&mut self, batch: Vec<Job<O>>) {
        let mut rest = batch.into_iter();
        while let Some(job) = rest.next() {
            let Some(job) = job.still_wanted() else {
                continue;
            };
            let tried = self.commit(std::slice::from_ref(&job)).await;
            match &tried.result {
                // The others would find out the same, one deadline after the other.
                Err(error) if is_unknown(error) => {
                    self.tell(std::iter::once(job).chain(rest).collect(), tried, None);
                    return;
                }
                _ => self.tell(vec![job], tried, None),
            }
        }
    }

    async fn commit<O: Op>(&mut self, batch: &[Job<O>]) -> Tried<O> {
        let ops: Vec<&O> = batch.iter().map(|job| &job.op).collect();
        let now = Instant::now();
        let deadline = batch.iter().map(|job| job.deadline).min().unwrap_or(now);
        let mut changes = Changes::default();
        let attempts = async {
            let limit = deadline.saturating_duration_since(now);
            let attempts = within(limit, self.attempts(&ops, deadline, &mut changes));
            on_primary(Verb::Write, attempts).await
        };
        let (result, spent) = cost::scope(attempts).await;
        if result.is_err() {
            // Whatever is open, or under way.
            self.session.reset(false).await;
        }
        Tried {
            result,
            changes,
            spent,
        }
    }

    async fn attempts<O: Op>(
        &mut self,
        ops: &[&O],
        deadline: Instant,
        changes: &mut Changes,
    ) -> Result<Done<O>, DalError> {
        let dialect = self.db.primary_dialect().await?;
        let mut repeats = 0;
        loop {
            *changes = Changes::default();
            let mut attempt = Attempt {
                session: &mut self.session,
                dialect,
                deadline,
                changes,
            };
            let result = O::commit(ops, &mut attempt).await;
            if let Err(error) = &result {
                self.session.reset(!is_unknown(error)).await;
                if repeats < MAX_RETRIES && self.db.may_retry(error) {
                    repeats += 1;
                    continue;
                }
            }
            return result;
        }
    }

    /// Tells Redis of a commit, and then everyone of it; the next batch doesn't wait for that. Everyone is told the whole cost. Whoever
    /// has gone doesn't mind.
    fn tell<O: Op>(&self, batch: Vec<Job<O>>, tried: Tried<O>, turn: Option<OwnedSemaphorePermit>) {
        let (db, counters) = (self.db.clone(), self.counters.clone());
        let tell = async move {
            let Tried {
                result,
                changes,
                mut spent,
            } = tried;
            let publish = async {
                match result {
                    Ok((outputs, committed)) => {
                        if !changes.is_nothing(&db) {
                            ledger::publish(&db, &counters, committed.exact, &changes).await?;
                        }
                        Ok(outputs)
                    }
                    Err(error) => {
                        ledger::retract(&db, &counters, &changes).await;
                        Err(error)
                    }
                }
            };
            let (told, more) = cost::scope(publish).await;
            spent.sql = spent.sql.saturating_add(more.sql);
            drop(turn);
            match told {
                Ok(outputs) => {
                    for (job, output) in batch.into_iter().zip(outputs) {
                        job.answer(output, spent);
                    }
                }
                Err(error) => {
                    for job in batch {
                        job.answer(Err(error.clone()), spent);
                    }
                }
            }
        };
        tokio::spawn(tell);
    }
}

/// What came of a batch.
struct Tried<O: Op> {
    result: Result<Done<O>, DalError>,
    changes: Changes,
    spent: Cost,
}

impl<O: Op> Job<O> {
    fn conflict(&self) -> Option<O::Conflict> {
        self.op.conflict()
    }

    /// None when whoever asked has gone, or is about to: what was given up must not be carried out later.
    fn still_wanted(self) -> Option<Self> {
        if self.done.is_closed() {
            return None;
        }
        if self.deadline <= Instant::now() + LAST_CALL {
            self.answer(Err(DalError::TimedOut), Cost::default());
            return None;
        }
        Some(self)
    }

    fn answer(self, result: Result<O::Output, DalError>, spent: Cost) {
        let _ = self.done.send((result, spent));
    }
}

/// Whether what failed may have happened.
fn is_unknown(error: &DalError) -> bool {
    matches!(error, DalError::Unavailable(_) | DalError::TimedOut)
}

/// Takes jobs from the front that are still wanted and conflict neither with each other nor with what is being committed; the rest keeps
/// its order.
fn next_batch<O: Op>(
    waiting: &mut VecDeque<Job<O>>,
    in_flight: &HashSet<O::Conflict>,
) -> Vec<Job<O>> {
    let mut seen = HashSet::new();
    let mut batch = Vec::new();
    let mut rest = VecDeque::new();
    for job in waiting.drain(..).filter_map(Job::still_wanted) {
        let is_free = job.conflict().is_none_or(|conflict| {
            // Whoever comes after one that must wait waits, too.
            !in_flight.contains(&conflict) & seen.insert(conflict)
        });
        if is_free && batch.len() < MAX_BATCH {
            batch.push(job);
        } else {
            rest.push_back(job);
        }
    }
    *waiting = rest;
    batch
}

/// Commits batches one by one, for tests of a kind of ops.
#[cfg(test)]
pub(crate) struct Bench {
    db: Db,
    session: Session,
}

#[cfg(test)]
impl Bench {
    pub(crate) fn new(db: &Db) -> Self {
        Self {
            db: db.clone(),
            session: Session::new(db.clone()),
        }
    }

    /// Commits `ops` behind a statement on the same connection.
    pub(crate) async fn commit_after<O: Op>(
        &mut self,
        statement: &str,
        ops: &[O],
        deadline: Instant,
    ) -> Result<Vec<Result<O::Output, DalError>>, DalError> {
        let dialect = self.db.primary_dialect().await?;
        // Open, and so the connection is kept.
        self.session.send(statement.to_owned()).await.result?;
        let mut attempt = Attempt {
            session: &mut self.session,
            dialect,
            deadline,
            changes: &mut Changes::default(),
        };
        let ops: Vec<&O> = ops.iter().collect();
        Ok(O::commit(&ops, &mut attempt).await?.0)
    }
}

#[cfg(test)]
mod tests;
