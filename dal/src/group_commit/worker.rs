//! Commits a batch, has Redis told, and answers everyone in it.

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
    ledger::{self, Changes},
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

    /// Commits a batch, by the deadline of who is in the greatest hurry, and has everyone in it answered. Where the batch as a whole is
    /// refused, each op goes alone: a bad one fails by itself.
    pub(super) async fn settle<O: Op>(
        &mut self,
        batch: Vec<QueuedOp<O>>,
        turn: OwnedSemaphorePermit,
    ) {
        let tried = self.commit(&batch).await;
        match tried.result {
            Err(ref error) if batch.len() > 1 && !is_unknown(error) => {
                tracing::warn!(%error, queue = O::QUEUE, ops = batch.len(), "a batch failed; its ops go one by one");
                self.settle_one_by_one(batch).await;
            }
            _ => self.tell(batch, tried, Some(turn)),
        }
    }

    async fn settle_one_by_one<O: Op>(&mut self, batch: Vec<QueuedOp<O>>) {
        let mut rest = batch.into_iter();
        while let Some(queued) = rest.next() {
            let Some(queued) = queued.still_wanted() else {
                continue;
            };
            let tried = self.commit(std::slice::from_ref(&queued)).await;
            match &tried.result {
                // The others would find out the same, one deadline after the other.
                Err(error) if is_unknown(error) => {
                    self.tell(std::iter::once(queued).chain(rest).collect(), tried, None);
                    return;
                }
                _ => self.tell(vec![queued], tried, None),
            }
        }
    }

    async fn commit<O: Op>(&mut self, batch: &[QueuedOp<O>]) -> Tried<O> {
        let ops: Vec<&O> = batch.iter().map(|queued| &queued.op).collect();
        let now = Instant::now();
        let deadline = batch
            .iter()
            .map(|queued| queued.deadline)
            .min()
            .unwrap_or(now);
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
    fn tell<O: Op>(
        &self,
        batch: Vec<QueuedOp<O>>,
        tried: Tried<O>,
        turn: Option<OwnedSemaphorePermit>,
    ) {
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
        tokio::spawn(tell);
    }
}

/// What came of a batch.
struct Tried<O: Op> {
    result: Result<Done<O>, DalError>,
    changes: Changes,
    spent: Cost,
}

/// Whether what failed may have happened.
fn is_unknown(error: &DalError) -> bool {
    matches!(error, DalError::Unavailable(_) | DalError::TimedOut)
}
