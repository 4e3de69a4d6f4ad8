//! A saga: steps in order, each with a deadline, and what they leave behind, which is removed in reverse when a later step fails.
//!
//! It knows nothing of videos. A step whose outcome is unknown isn't compensated: it may still be running and finish after its
//! compensation. The caller looks up the outcome later, or leaves it to the reaper.

use std::time::{Duration, Instant};

/// An error of a step.
pub(crate) trait StepError {
    /// The step called `name` took longer than its limit.
    fn timed_out(name: &'static str) -> Self;

    /// Whether the step may have happened nevertheless, or may still happen.
    fn is_unknown(&self) -> bool;
}

/// The steps so far. `L` names what a step can leave behind.
pub(crate) struct Saga<L> {
    deadline: Instant,
    leftovers: Vec<L>,
    is_certain: bool,
}

/// What is to be undone after a failure.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Undo<L> {
    /// What is there and must be removed, in this order.
    pub(crate) leftovers: Vec<L>,
    /// Whether nothing else can be there; otherwise the reaper has to check.
    pub(crate) is_certain: bool,
}

impl<L> Saga<L> {
    /// All steps but [`commit`](Self::commit), which has its own limit, must end within `limit`.
    pub(crate) fn begin(limit: Duration) -> Self {
        Self {
            deadline: Instant::now() + limit,
            leftovers: Vec::new(),
            is_certain: true,
        }
    }

    /// A step that changes nothing.
    pub(crate) async fn read<V, E: StepError>(
        &self,
        name: &'static str,
        limit: Duration,
        step: impl Future<Output = Result<V, E>>,
    ) -> Result<V, E> {
        timed(name, self.within(limit), step).await
    }

    /// Something that was there before the saga, and that the saga removes if it fails.
    pub(crate) fn take_over(&mut self, leftover: L) {
        self.leftovers.push(leftover);
    }

    /// A step that leaves something behind, which is removed when a later step fails. A step that failed for certain left nothing.
    pub(crate) async fn step_with_undo<V, E: StepError>(
        &mut self,
        name: &'static str,
        limit: Duration,
        leftover: L,
        step: impl Future<Output = Result<V, E>>,
    ) -> Result<V, E> {
        let outcome = timed(name, self.within(limit), step).await;
        match &outcome {
            Ok(_) => self.leftovers.push(leftover),
            Err(error) if error.is_unknown() => self.is_certain = false,
            Err(_) => {}
        }
        outcome
    }

    /// The last step, a transaction: either it makes all steps before it permanent, or it did nothing. While that is unknown nothing may
    /// be undone.
    pub(crate) async fn commit<V, E: StepError>(
        &mut self,
        name: &'static str,
        limit: Duration,
        step: impl Future<Output = Result<V, E>>,
    ) -> Result<V, E> {
        let outcome = timed(name, limit, step).await;
        if outcome.as_ref().is_err_and(E::is_unknown) {
            self.leftovers.clear();
            self.is_certain = false;
        }
        outcome
    }

    /// What is to be undone, for a saga that failed.
    pub(crate) fn undo(mut self) -> Undo<L> {
        self.leftovers.reverse();
        Undo {
            leftovers: self.leftovers,
            is_certain: self.is_certain,
        }
    }

    fn within(&self, limit: Duration) -> Duration {
        limit.min(self.deadline.saturating_duration_since(Instant::now()))
    }
}

async fn timed<V, E: StepError>(
    name: &'static str,
    limit: Duration,
    step: impl Future<Output = Result<V, E>>,
) -> Result<V, E> {
    let begun = Instant::now();
    let outcome = tokio::time::timeout(limit, step)
        .await
        .unwrap_or_else(|_| Err(E::timed_out(name)));
    let took_ms = begun.elapsed().as_millis() as u64;
    tracing::debug!(step = name, took_ms, ok = outcome.is_ok(), "step ended");
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);
    const SHORT: Duration = Duration::from_millis(1);

    #[derive(Debug, PartialEq)]
    enum Failure {
        Refused,
        TimedOut(&'static str),
    }

    impl StepError for Failure {
        fn timed_out(name: &'static str) -> Self {
            Self::TimedOut(name)
        }

        fn is_unknown(&self) -> bool {
            matches!(self, Self::TimedOut(_))
        }
    }

    async fn done() -> Result<(), Failure> {
        Ok(())
    }

    async fn refused() -> Result<(), Failure> {
        Err(Failure::Refused)
    }

    async fn hangs() -> Result<(), Failure> {
        std::future::pending().await
    }

    #[tokio::test]
    async fn what_was_done_is_undone_in_reverse() {
        let mut saga = Saga::begin(LIMIT);
        saga.take_over("object");
        saga.read("probe", LIMIT, done()).await.unwrap();
        saga.step_with_undo("cover", LIMIT, "cover", done())
            .await
            .unwrap();
        saga.step_with_undo("banner", LIMIT, "banner", refused())
            .await
            .unwrap_err();
        assert_eq!(
            saga.undo(),
            Undo {
                leftovers: vec!["cover", "object"],
                is_certain: true
            }
        );
    }

    #[tokio::test]
    async fn a_step_that_hangs_ends_and_is_not_undone() {
        let mut saga = Saga::begin(LIMIT);
        saga.take_over("object");
        let outcome = saga.step_with_undo("cover", SHORT, "cover", hangs()).await;
        assert_eq!(outcome, Err(Failure::TimedOut("cover")));
        assert_eq!(
            saga.undo(),
            Undo {
                leftovers: vec!["object"],
                is_certain: false
            }
        );
    }

    #[tokio::test]
    async fn a_read_that_hangs_leaves_nothing_uncertain() {
        let saga = Saga::<&str>::begin(LIMIT);
        saga.read("probe", SHORT, hangs()).await.unwrap_err();
        assert!(saga.undo().is_certain);
    }

    #[tokio::test]
    async fn nothing_is_undone_while_the_commit_may_have_happened() {
        for (step, leftovers) in [(SHORT, vec![]), (LIMIT, vec!["object"])] {
            let mut saga = Saga::begin(LIMIT);
            saga.take_over("object");
            let outcome = match step {
                SHORT => saga.commit("row", SHORT, hangs()).await,
                _ => saga.commit("row", LIMIT, refused()).await,
            };
            outcome.unwrap_err();
            let is_certain = !leftovers.is_empty();
            assert_eq!(
                saga.undo(),
                Undo {
                    leftovers,
                    is_certain
                }
            );
        }
    }

    #[tokio::test]
    async fn all_steps_but_the_commit_share_a_limit() {
        let mut saga = Saga::<&str>::begin(SHORT);
        let outcome = saga.read("probe", LIMIT, hangs()).await;
        assert_eq!(outcome, Err(Failure::TimedOut("probe")));
        saga.commit("row", LIMIT, done()).await.unwrap();
    }
}
