//! Makes batches of what waits, and says when each may start.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{Instant, sleep, sleep_until},
};

use super::{
    op::{Op, QueuedOp},
    overlap::{BatchNumber, LatestBatch},
    worker::Worker,
};
use crate::{Db, counters::Counters};

/// Batches that are committed at once, at most. Fewer where the pool is small ([`Db::max_writers`]).
const MAX_WORKERS: usize = 4;
/// Ops in a batch at most.
const MAX_BATCH: usize = 256;
/// Ops that are looked at for a batch: more than it takes, so that many that conflict don't keep out the others.
const LOOK_AHEAD: usize = 4 * MAX_BATCH;
/// Batches in progress at most: being committed, or committed and not yet published to Redis.
const MAX_UNPUBLISHED: usize = 16;
/// When nothing happens for so long, the connections are given back.
const IDLE: Duration = Duration::from_secs(1);

/// Makes batches of what waits, and gives each to a worker that is free.
pub(super) struct Dispatcher<O: Op> {
    queue: mpsc::Receiver<QueuedOp<O>>,
    waiting: VecDeque<QueuedOp<O>>,
    workers: usize,
    /// The one that was busy last is the last: its connection is known to be whole.
    free: Vec<Worker>,
    in_flight: HashSet<O::Conflict>,
    /// The batch that the next one waits for.
    latest: LatestBatch,
    publish_permits: Arc<Semaphore>,
    /// The permit of the next batch.
    permit: Option<OwnedSemaphorePermit>,
}

impl<O: Op> Dispatcher<O> {
    /// Takes its ops from `queue`.
    pub(super) fn new(db: &Db, counters: &Counters, queue: mpsc::Receiver<QueuedOp<O>>) -> Self {
        let workers = MAX_WORKERS.min(db.max_writers());
        Self {
            workers,
            queue,
            waiting: VecDeque::new(),
            free: (0..workers).map(|_| Worker::new(db, counters)).collect(),
            in_flight: HashSet::new(),
            latest: LatestBatch::default(),
            publish_permits: Arc::new(Semaphore::new(MAX_UNPUBLISHED)),
            permit: None,
        }
    }

    /// Ends when nobody can send any more and nothing waits.
    pub(super) async fn run(mut self) {
        let workers = self.workers;
        let (done, mut ended) = mpsc::channel::<(BatchNumber, Worker, Vec<O::Conflict>)>(workers);
        loop {
            while self.waiting.len() < LOOK_AHEAD
                && let Ok(queued) = self.queue.try_recv()
            {
                self.waiting.push_back(queued);
            }
            // Asked once a round: what keeps a batch from starting now must also wake this up.
            let is_waiting = !self.waiting.is_empty();
            let overlap = is_waiting
                .then(|| self.latest.wait_until(Instant::now()))
                .flatten();
            if overlap.is_none()
                && let Some((mut worker, batch, permit)) = self.next()
            {
                let conflicts: Vec<O::Conflict> =
                    batch.iter().filter_map(QueuedOp::conflict).collect();
                self.in_flight
                    .extend(batch.iter().filter_map(QueuedOp::conflict));
                let number = self.latest.starts(Instant::now());
                let done = done.clone();
                vital::spawn(O::QUEUE, async move {
                    worker.process_batch(batch, permit).await;
                    // An error would be the end of the dispatcher.
                    let _ = done.send((number, worker, conflicts)).await;
                });
                continue;
            }
            let is_open = !self.queue.is_closed();
            if !is_open && self.waiting.is_empty() && self.free.len() == workers {
                return;
            }
            tokio::select! {
                queued = self.queue.recv(), if is_open && self.waiting.len() < LOOK_AHEAD => {
                    self.waiting.extend(queued);
                }
                Some((number, worker, conflicts)) = ended.recv() => {
                    self.latest.ended(number);
                    for conflict in &conflicts {
                        self.in_flight.remove(conflict);
                    }
                    for idle in &mut self.free {
                        idle.release_old();
                    }
                    self.free.push(worker);
                }
                Ok(permit) = self.publish_permits.clone().acquire_owned(), if self.permit.is_none() => {
                    self.permit = Some(permit);
                }
                // Then the next one may start.
                () = sleep_until(overlap.unwrap_or_else(Instant::now)), if overlap.is_some() => {}
                () = sleep(IDLE) => {
                    for worker in &mut self.free {
                        worker.release();
                    }
                }
            }
        }
    }

    /// A worker and what it is to commit; none as long as there is nothing to commit, or nobody to do it.
    fn next(&mut self) -> Option<(Worker, Vec<QueuedOp<O>>, OwnedSemaphorePermit)> {
        if self.free.is_empty() || self.permit.is_none() {
            return None;
        }
        let batch = next_batch(&mut self.waiting, &self.in_flight);
        if batch.is_empty() {
            return None;
        }
        Some((self.free.pop()?, batch, self.permit.take()?))
    }
}

/// Takes ops from the front that are still wanted and conflict neither with each other nor with what is being committed; the rest keeps
/// its order.
fn next_batch<O: Op>(
    waiting: &mut VecDeque<QueuedOp<O>>,
    in_flight: &HashSet<O::Conflict>,
) -> Vec<QueuedOp<O>> {
    let mut seen = HashSet::new();
    let mut batch = Vec::new();
    let mut rest = VecDeque::new();
    for queued in waiting.drain(..).filter_map(QueuedOp::unless_expired) {
        let is_free = queued.conflict().is_none_or(|conflict| {
            // Whoever comes after one that must wait waits, too.
            !in_flight.contains(&conflict) & seen.insert(conflict)
        });
        if is_free && batch.len() < MAX_BATCH {
            batch.push(queued);
        } else {
            rest.push_back(queued);
        }
    }
    *waiting = rest;
    batch
}
