//! Commits a batch, publishes it to Redis, and replies to its callers.

use std::time::Instant;

use telemetry::{
    cost::{self, Cost},
    metrics::Verb,
};
use tokio::sync::OwnedSemaphorePermit;

use super::{
    Attempt,
    op::{Done, Op, QueuedOp},
    session::Session,
};
use crate::{
    DalError, Db,
    counters::Counters,
    db::MAX_RETRIES,
    ledger::{self, RedisUpdate},
    observe::on_primary,
    pool::within,
};

/// Commits a batch at a time.
pub(super) struct Worker {
    db: Db,
    counters: Counters,
    session: Session,
}

impl Worker {
    pub(super) fn new(db: &Db, counters: &Counters) -> Self {
        Self {
            db: db.clone(),
            counters: counters.clone(),
            session: Session::new(db.clone()),
        }
    }

    /// Nothing has happened for a while: the connection is given back.
    pub(super) fn release(&mut self) {
        self.session.release();
    }

    /// Others are busy: a connection that was kept for long enough is given back.
    pub(super) fn release_old(&mut self) {
        self.session.release_old();
    }

    /// Commits a batch by the earliest deadline in it, and replies to all callers. If the whole batch fails with a known outcome, each op
    /// is committed alone, so only the bad one fails.
    pub(super) async fn process_batch<O: Op>(
        &mut self,
        batch: Vec<QueuedOp<O>>,
        permit: OwnedSemaphorePermit,
    ) {
        let batch_result = self.commit(&batch).await;
        match batch_result.result {
            Err(ref error) if batch.len() > 1 && !is_unknown(error) => {
                tracing::warn!(%error, queue = O::QUEUE, ops = batch.len(), "a batch failed; its ops go one by one");
                self.process_one_by_one(batch).await;
            }
            _ => self.publish_and_reply(batch, batch_result, Some(permit)),
        }
    }

    async fn process_one_by_one<O: Op>(&mut self, batch: Vec<QueuedOp<O>>) {
        let mut rest = batch.into_iter();
        while let Some(queued) = rest.next() {
            let Some(queued) = queued.unless_expired() else {
                continue;
            };
            let batch_result = self.commit(std::slice::from_ref(&queued)).await;
            match &batch_result.result {
                // The others would find out the same, one deadline after the other.
                Err(error) if is_unknown(error) => {
                    self.publish_and_reply(
                        std::iter::once(queued).chain(rest).collect(),
                        batch_result,
                        None,
                    );
                    return;
                }
                _ => self.publish_and_reply(vec![queued], batch_result, None),
            }
        }
    }

    async fn commit<O: Op>(&mut self, batch: &[QueuedOp<O>]) -> BatchResult<O> {
        let ops: Vec<&O> = batch.iter().map(|queued| &queued.op).collect();
        let now = Instant::now();
        let deadline = batch
            .iter()
            .map(|queued| queued.deadline)
            .min()
            .unwrap_or(now);
        let mut update = RedisUpdate::default();
        let attempts = async {
            let limit = deadline.saturating_duration_since(now);
            let attempts = within(limit, self.attempts(&ops, deadline, &mut update));
            on_primary(Verb::Write, attempts).await
        };
        let (result, spent) = cost::scope(attempts).await;
        if result.is_err() {
            // Whatever is open, or under way.
            self.session.reset(false).await;
        }
        BatchResult {
            result,
            update,
            spent,
        }
    }

    async fn attempts<O: Op>(
        &mut self,
        ops: &[&O],
        deadline: Instant,
        update: &mut RedisUpdate,
    ) -> Result<Done<O>, DalError> {
        let dialect = self.db.primary_dialect().await?;
        let mut repeats = 0;
        loop {
            *update = RedisUpdate::default();
            let mut attempt = Attempt {
                session: &mut self.session,
                dialect,
                deadline,
                update,
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

    /// Publishes the commit to Redis, then replies to the callers, in a task of its own. The next batch doesn't wait for this task. Each
    /// caller is charged the cost of the whole batch.
    fn publish_and_reply<O: Op>(
        &self,
        batch: Vec<QueuedOp<O>>,
        batch_result: BatchResult<O>,
        permit: Option<OwnedSemaphorePermit>,
    ) {
        let (db, counters) = (self.db.clone(), self.counters.clone());
        let task = async move {
            let BatchResult {
                result,
                update,
                mut spent,
            } = batch_result;
            let publish = async {
                match result {
                    Ok((outputs, committed)) => {
                        if !update.is_empty(&db) {
                            ledger::publish(&db, &counters, committed.exact, &update).await?;
                        }
                        Ok(outputs)
                    }
                    Err(error) => {
                        ledger::invalidate(&db, &counters, &update).await;
                        Err(error)
                    }
                }
            };
            let (published, more) = cost::scope(publish).await;
            spent.sql = spent.sql.saturating_add(more.sql);
            drop(permit);
            match published {
                Ok(outputs) => {
                    for (queued, output) in batch.into_iter().zip(outputs) {
                        queued.answer(output, spent);
                    }
                }
                Err(error) => {
                    for queued in batch {
                        queued.answer(Err(error.clone()), spent);
                    }
                }
            }
        };
        tokio::spawn(task);
    }
}

/// The outcome of a batch, the update that Redis needs, and the cost.
struct BatchResult<O: Op> {
    result: Result<Done<O>, DalError>,
    update: RedisUpdate,
    spent: Cost,
}

/// Whether what failed may have happened.
fn is_unknown(error: &DalError) -> bool {
    matches!(error, DalError::Unavailable(_) | DalError::TimedOut)
}
