//! Group commit: while a batch commits, the next one fills, and a lone op goes at once. Each batch has a fixed cost
//! on both servers, so few large ones save processor time. One that is held up isn't waited for.
//!
//! Ops that conflict ([`Op::conflict`]) keep their order: of each conflict one is being committed, and a later one goes with a later batch.
//! Whoever is answered has been committed, and Redis knows; a failure that leaves that open is told as such, and nothing is repeated.
//! What Redis is told of one batch is told while the next one commits.

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
