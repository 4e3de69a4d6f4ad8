//! An operation that is committed in a batch, and the caller that waits for it.

use std::{
    hash::Hash,
    time::{Duration, Instant},
};

use telemetry::cost::Cost;
use tokio::sync::oneshot;

use super::{Attempt, Committed};
use crate::DalError;

/// An op with less time left than this isn't taken into a batch, because its deadline would be the deadline of the whole batch.
const MIN_TIME_LEFT: Duration = Duration::from_millis(300);

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

/// An op, and who waits for its outcome.
pub(super) struct QueuedOp<O: Op> {
    pub(super) op: O,
    /// It is carried out before that, or not at all.
    pub(super) deadline: Instant,
    pub(super) done: oneshot::Sender<(Result<O::Output, DalError>, Cost)>,
}

impl<O: Op> QueuedOp<O> {
    pub(super) fn conflict(&self) -> Option<O::Conflict> {
        self.op.conflict()
    }

    /// Returns `None` if the caller has given up or its deadline is too near. An op that was given up must not run later.
    pub(super) fn unless_expired(self) -> Option<Self> {
        if self.done.is_closed() {
            return None;
        }
        if self.deadline <= Instant::now() + MIN_TIME_LEFT {
            self.answer(Err(DalError::TimedOut), Cost::default());
            return None;
        }
        Some(self)
    }

    pub(super) fn answer(self, result: Result<O::Output, DalError>, spent: Cost) {
        let _ = self.done.send((result, spent));
    }
}
