//! Group commit: while one batch commits, the next one fills. Nobody waits for a timer, so a lone like goes at once.
//!
//! Ops of one pair keep their order: a pair is always one worker's, is in a batch at most once, and a later op of it goes with
//! a later batch. Whoever is answered has been committed; a failure that leaves that open is told as such and nothing is
//! repeated.

use std::{
    collections::{HashSet, VecDeque},
    hash::{DefaultHasher, Hash, Hasher},
    sync::Arc,
    time::{Duration, Instant},
};

use sea_orm::DbErr;
use telemetry::{
    cost::{self, Cost},
    metrics, trace,
};
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot,
};
use tracing::Instrument as _;

use super::{FavoriteOp, batch::Batch};
use crate::{DalError, Db, counters::Counters, db::WRITE_DEADLINE, ledger, pool::within};

/// Batches under way at once: one commits while the other is sent. More of them only make the batches smaller.
const WORKERS: usize = 2;
/// Ops in a batch at most.
const MAX_BATCH: usize = 128;
/// Ops that a worker looks at for a batch: more than it takes, so that many ops of one pair don't keep out the others.
const LOOK_AHEAD: usize = 4 * MAX_BATCH;
/// Ops that may wait for a worker. When they are more, the database is too slow for them, and waiting would not help.
const MAX_WAITING: usize = 4096;
/// Whoever waits for no longer than this isn't taken into a batch: their deadline would be that of all others in it.
const LAST_CALL: Duration = Duration::from_millis(300);
/// What the metrics call those that wait.
const LIKES: &str = "likes";

/// Writes likes, together with whoever likes at the same moment. Cheap to clone; one a process.
#[derive(Clone)]
pub struct Favorites {
    workers: Arc<[mpsc::Sender<Job>]>,
}

/// An op, and who waits for its outcome.
struct Job {
    op: FavoriteOp,
    /// It is carried out before that, or not at all.
    deadline: Instant,
    done: oneshot::Sender<(Result<bool, DalError>, Cost)>,
}

impl Favorites {
    /// Starts the workers, in a tokio runtime; they end when the last clone is gone and nothing waits any more.
    pub fn start(db: Db, counters: Counters) -> Self {
        let start = |_| {
            let (sender, jobs) = mpsc::channel(MAX_WAITING);
            let worker = Worker {
                db: db.clone(),
                counters: counters.clone(),
            };
            vital::spawn("queue of likes", worker.run(jobs));
            sender
        };
        Self {
            workers: (0..WORKERS).map(start).collect(),
        }
    }

    /// Makes a like be there or not, and tells whether that changed anything. Idempotent: a like that is there keeps its place
    /// in the list. When this returns, the change is committed, counted, and in Redis. A call that is dropped may still be carried
    /// out, within its deadline.
    ///
    /// [`DalError::Unavailable`] and [`DalError::TimedOut`]: it may or may not have happened, except that too many ops waiting
    /// is `Unavailable` too; but it doesn't happen any more, so that it can't undo what is done later. Repeating is harmless; it then
    /// tells `false` if it had happened.
    pub async fn set(&self, op: FavoriteOp) -> Result<bool, DalError> {
        self.set_within(op, WRITE_DEADLINE).await
    }

    /// [`set`](Self::set) for somebody who waits no longer than `limit`.
    pub async fn set_within(&self, op: FavoriteOp, limit: Duration) -> Result<bool, DalError> {
        let limit = limit.min(WRITE_DEADLINE);
        let deadline = Instant::now() + limit;
        let mut hasher = DefaultHasher::new();
        op.pair().hash(&mut hasher);
        let turn = usize::try_from(hasher.finish() % (WORKERS as u64)).unwrap_or_default();
        let worker = self.workers.get(turn).ok_or_else(|| refused("no worker"))?;
        let (done, outcome) = oneshot::channel();
        let job = Job { op, deadline, done };
        worker.try_send(job).map_err(|e| match e {
            TrySendError::Full(_) => {
                metrics::semaphore_refused(LIKES);
                refused("too many likes are waiting")
            }
            TrySendError::Closed(_) => refused("the writer of likes has ended"),
        })?;
        let _waiting = metrics::in_queue(LIKES);
        let (result, spent) = within(limit, async {
            outcome
                .await
                .map_err(|_| refused("the writer of likes has ended"))
        })
        .instrument(trace::call("mysql", "shared write"))
        .await?;
        cost::add(spent);
        result
    }
}

/// A like with a commit of its own, however many others there are: what the group commit is measured against.
#[doc(hidden)]
pub async fn set_alone(db: &Db, counters: &Counters, op: FavoriteOp) -> Result<bool, DalError> {
    let outcome = ledger::commit(db, counters, Batch::new([op])).await?;
    Ok(outcome.contains(&true))
}

fn refused(reason: &str) -> DalError {
    DalError::Unavailable(DbErr::Custom(reason.to_owned()))
}

/// Commits batch after batch.
struct Worker {
    db: Db,
    counters: Counters,
}

impl Worker {
    async fn run(self, mut jobs: mpsc::Receiver<Job>) {
        let mut waiting = VecDeque::new();
        loop {
            if waiting.is_empty() {
                match jobs.recv().await {
                    Some(job) => waiting.push_back(job),
                    None => return,
                }
            }
            while waiting.len() < LOOK_AHEAD
                && let Ok(job) = jobs.try_recv()
            {
                waiting.push_back(job);
            }
            self.settle(next_batch(&mut waiting)).await;
        }
    }

    /// Commits a batch and answers everyone in it, by the deadline of who is in the greatest hurry. Where the batch as a whole is
    /// refused, each op goes alone: a bad one fails by itself.
    async fn settle(&self, batch: Vec<Job>) {
        let Some(deadline) = batch.iter().map(|job| job.deadline).min() else {
            return;
        };
        let (result, spent) = self.commit(batch.iter().map(|job| job.op), deadline).await;
        match result {
            Ok(outcomes) => {
                for (job, changed) in batch.into_iter().zip(outcomes) {
                    job.answer(Ok(changed), spent);
                }
            }
            Err(error) if batch.len() == 1 || is_unknown(&error) => fail(batch, &error, spent),
            Err(error) => {
                tracing::warn!(%error, ops = batch.len(), "a batch of likes failed; its ops go one by one");
                self.settle_one_by_one(batch).await;
            }
        }
    }

    async fn settle_one_by_one(&self, batch: Vec<Job>) {
        let mut rest = batch.into_iter();
        while let Some(job) = rest.next() {
            let Some(job) = job.still_wanted() else {
                continue;
            };
            match self.commit([job.op], job.deadline).await {
                // The others would find out the same, one deadline after the other.
                (Err(error), spent) if is_unknown(&error) => {
                    fail(std::iter::once(job).chain(rest), &error, spent);
                    return;
                }
                (result, spent) => {
                    job.answer(result.map(|outcome| outcome.contains(&true)), spent);
                }
            }
        }
    }

    async fn commit(
        &self,
        ops: impl IntoIterator<Item = FavoriteOp>,
        deadline: Instant,
    ) -> (Result<Vec<bool>, DalError>, Cost) {
        let batch = Batch::new(ops);
        cost::scope(ledger::commit_here(
            &self.db,
            &self.counters,
            &batch,
            deadline,
        ))
        .await
    }
}

impl Job {
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

    /// Everyone in a batch is told its whole cost. Whoever has gone doesn't mind.
    fn answer(self, result: Result<bool, DalError>, spent: Cost) {
        let _ = self.done.send((result, spent));
    }
}

fn fail(batch: impl IntoIterator<Item = Job>, error: &DalError, spent: Cost) {
    for job in batch {
        job.answer(Err(error.clone()), spent);
    }
}

/// Whether what failed may have happened.
fn is_unknown(error: &DalError) -> bool {
    matches!(error, DalError::Unavailable(_) | DalError::TimedOut)
}

/// Takes jobs from the front that are still wanted, each pair once; the rest keeps its order.
fn next_batch(waiting: &mut VecDeque<Job>) -> Vec<Job> {
    let mut pairs = HashSet::new();
    let mut batch = Vec::new();
    let mut rest = VecDeque::new();
    for job in waiting.drain(..).filter_map(Job::still_wanted) {
        if batch.len() < MAX_BATCH && pairs.insert(job.op.pair()) {
            batch.push(job);
        } else {
            rest.push_back(job);
        }
    }
    *waiting = rest;
    batch
}
