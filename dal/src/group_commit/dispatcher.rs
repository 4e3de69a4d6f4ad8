//! Makes batches of what waits, and says when each may start.

use std::{
    collections::{HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::{
    op::{Job, Op},
    worker::Worker,
};
use crate::{Db, counters::Counters};

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
/// Batches that are committed and of which Redis isn't told yet, at most.
const MAX_UNTOLD: usize = 16;
/// When nothing happens for so long, the connections are given back.
const IDLE: Duration = Duration::from_secs(1);

/// Makes batches of what waits, and gives each to a worker that is free.
pub(super) struct Dispatcher<O: Op> {
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

impl<O: Op> Dispatcher<O> {
    /// Takes its jobs from `jobs`.
    pub(super) fn new(db: &Db, counters: &Counters, jobs: mpsc::Receiver<Job<O>>) -> Self {
        let workers = MAX_WORKERS.min(db.max_writers());
        Self {
            workers,
            jobs,
            waiting: VecDeque::new(),
            free: (0..workers).map(|_| Worker::new(db, counters)).collect(),
            in_flight: HashSet::new(),
            ops_in_flight: 0,
            untold: Arc::new(Semaphore::new(MAX_UNTOLD)),
            turn: None,
        }
    }

    /// Ends when nobody can send any more and nothing waits.
    pub(super) async fn run(mut self) {
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
                        idle.release_old();
                    }
                    self.free.push(worker);
                }
                Ok(turn) = self.untold.clone().acquire_owned(), if self.turn.is_none() => {
                    self.turn = Some(turn);
                }
                () = tokio::time::sleep(IDLE) => {
                    for worker in &mut self.free {
                        worker.release();
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

#[cfg(test)]
mod tests {
    use super::may_start;

    #[test]
    fn few_wait_for_nobody_and_many_for_one_batch_at_most() {
        for (batches, in_flight, waiting, may) in [
            (0, 0, 1, true),
            (0, 0, 200, true),
            (1, 1, 1, true),
            (3, 7, 1, true),
            (3, 15, 1, true),
            // Many: no small one beside a large one, and no third.
            (1, 40, 1, false),
            (1, 40, 39, false),
            (1, 40, 40, true),
            (1, 16, 1, false),
            (2, 20, 44, false),
            (2, 40, 100, false),
        ] {
            assert_eq!(
                may_start(batches, in_flight, waiting),
                may,
                "{batches} batches of {in_flight} ops, {waiting} wait"
            );
        }
    }
}
