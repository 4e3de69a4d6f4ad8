//! Group commit: many ops share one transaction. While a batch commits, the next one fills. An op that finds no batch running is committed
//! at once. Each batch has a fixed cost on both servers, so a few large batches save processor time. After 50 ms the next batch no longer
//! waits for a slow one.
//!
//! Ops that conflict ([`Op::conflict`]) keep their order: they are never in the same batch or in two running batches. A caller gets its
//! answer when its op is committed and published to Redis. If the outcome is unknown, the error says so and nothing is retried. Publishing
//! one batch overlaps with the commit of the next.

mod attempt;
mod dispatcher;
#[cfg(test)]
mod harness;
mod op;
mod outcomes;
mod overlap;
mod session;
mod worker;

use std::time::{Duration, Instant};

use sea_orm::DbErr;
use telemetry::{cost, metrics, trace};
use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot,
};
use tracing::Instrument as _;

pub(crate) use attempt::{Attempt, BEGIN_ANEW, Begin, Committed, Outcome};
#[cfg(test)]
pub(crate) use harness::Harness;
pub(crate) use op::Op;
pub(crate) use outcomes::Outcomes;
pub(crate) use session::Answer;

use crate::{DalError, Db, counters::Counters, db::WRITE_DEADLINE, pool::within};
use dispatcher::Dispatcher;
use op::QueuedOp;

/// Ops that may wait. When they are more, the database is too slow for them, and waiting would not help.
const MAX_WAITING: usize = 4096;

/// Takes ops from many and commits them in batches. Cheap to clone; one a process and kind.
pub(crate) struct Queue<O: Op>(mpsc::Sender<QueuedOp<O>>);

impl<O: Op> Clone for Queue<O> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<O: Op> Queue<O> {
    /// Starts the worker, in a tokio runtime; it ends when the last clone is gone and nothing waits any more.
    pub(crate) fn start(db: Db, counters: Counters) -> Self {
        let (sender, queue) = mpsc::channel(MAX_WAITING);
        let dispatcher = Dispatcher::<O>::new(&db, &counters, queue);
        vital::spawn(O::QUEUE, dispatcher.run());
        Self(sender)
    }

    /// Commits `op` within `limit`. On success it is committed and counted, and Redis has the counts. If the caller drops this future, the
    /// op may still run, but not after `limit`.
    ///
    /// After [`DalError::Unavailable`] or [`DalError::TimedOut`] the outcome is unknown, but the op doesn't run later. A full queue also
    /// returns `Unavailable`; then the op never ran.
    pub(crate) async fn commit(&self, op: O, limit: Duration) -> Result<O::Output, DalError> {
        let limit = limit.min(WRITE_DEADLINE);
        let deadline = Instant::now() + limit;
        let (done, outcome) = oneshot::channel();
        self.0
            .try_send(QueuedOp { op, deadline, done })
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
