//! A saga: steps in order, each with a deadline, and the traces they leave, to be removed in reverse when a later step fails.
//!
//! Knows nothing of videos. A step whose outcome is unknown is never undone: it may still be under way, and what undoes it would come
//! too early. Whoever runs the saga asks again what became of it, or leaves it to the reaper.

use std::time::{Duration, Instant};

use crate::error::VideoError;

/// The steps taken so far. `T` names what a step can leave behind.
pub(crate) struct Saga<T> {
    end: Instant,
    traces: Vec<T>,
    is_certain: bool,
}

/// What is to be done about a saga that failed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Undo<T> {
    /// What is there and must go, in this order.
    pub(crate) traces: Vec<T>,
    /// Whether nothing else can be there: otherwise the reaper has to look again.
    pub(crate) is_certain: bool,
}

impl<T> Saga<T> {
    /// All steps but the last, which has its own time, must be done within `limit`.
    pub(crate) fn begin(limit: Duration) -> Self {
        Self {
            end: Instant::now() + limit,
            traces: Vec::new(),
            is_certain: true,
        }
    }

    /// A step that changes nothing.
    pub(crate) async fn look<V>(
        &self,
        name: &'static str,
        limit: Duration,
        step: impl Future<Output = Result<V, VideoError>>,
    ) -> Result<V, VideoError> {
        timed(name, self.within(limit), step).await
    }

    /// A trace that is there already, and whose removal is up to this saga from now on.
    pub(crate) fn adopt(&mut self, trace: T) {
        self.traces.push(trace);
    }

    /// A step that leaves a trace. One that failed for sure left none.
    pub(crate) async fn change<V>(
        &mut self,
        name: &'static str,
        limit: Duration,
        trace: T,
        step: impl Future<Output = Result<V, VideoError>>,
    ) -> Result<V, VideoError> {
        let outcome = timed(name, self.within(limit), step).await;
        match &outcome {
            Ok(_) => self.traces.push(trace),
            Err(error) if error.is_unknown() => self.is_certain = false,
            Err(_) => {}
        }
        outcome
    }

    /// The last step, a transaction: it has made everything before it good, or nothing of it has happened. As long as that is unknown
    /// nothing may be undone.
    pub(crate) async fn finish<V>(
        &mut self,
        name: &'static str,
        limit: Duration,
        step: impl Future<Output = Result<V, VideoError>>,
    ) -> Result<V, VideoError> {
        let outcome = timed(name, limit, step).await;
        if outcome.as_ref().is_err_and(VideoError::is_unknown) {
            self.traces.clear();
            self.is_certain = false;
        }
        outcome
    }

    /// What a failure leaves to do.
    pub(crate) fn undo(mut self) -> Undo<T> {
        self.traces.reverse();
        Undo {
            traces: self.traces,
            is_certain: self.is_certain,
        }
    }

    fn within(&self, limit: Duration) -> Duration {
        limit.min(self.end.saturating_duration_since(Instant::now()))
    }
}

async fn timed<V>(
    name: &'static str,
    limit: Duration,
    step: impl Future<Output = Result<V, VideoError>>,
) -> Result<V, VideoError> {
    let begun = Instant::now();
    let outcome = tokio::time::timeout(limit, step)
        .await
        .unwrap_or(Err(VideoError::TimedOut(name)));
    let took_ms = begun.elapsed().as_millis() as u64;
    tracing::debug!(step = name, took_ms, ok = outcome.is_ok(), "step taken");
    outcome
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);
    const SHORT: Duration = Duration::from_millis(1);

    async fn done() -> Result<(), VideoError> {
        Ok(())
    }

    async fn refused() -> Result<(), VideoError> {
        Err(VideoError::NoSuchUpload)
    }

    async fn hangs() -> Result<(), VideoError> {
        std::future::pending().await
    }

    #[tokio::test]
    async fn what_was_done_is_undone_in_reverse() {
        let mut saga = Saga::begin(LIMIT);
        saga.adopt("object");
        saga.look("probe", LIMIT, done()).await.unwrap();
        saga.change("cover", LIMIT, "cover", done()).await.unwrap();
        saga.change("banner", LIMIT, "banner", refused())
            .await
            .unwrap_err();
        assert_eq!(
            saga.undo(),
            Undo {
                traces: vec!["cover", "object"],
                is_certain: true
            }
        );
    }

    #[tokio::test]
    async fn a_step_that_hangs_ends_and_is_not_undone() {
        let mut saga = Saga::begin(LIMIT);
        saga.adopt("object");
        let outcome = saga.change("cover", SHORT, "cover", hangs()).await;
        assert!(matches!(outcome, Err(VideoError::TimedOut("cover"))));
        assert_eq!(
            saga.undo(),
            Undo {
                traces: vec!["object"],
                is_certain: false
            }
        );
    }

    #[tokio::test]
    async fn a_look_that_hangs_leaves_no_doubt() {
        let saga = Saga::<&str>::begin(LIMIT);
        saga.look("probe", SHORT, hangs()).await.unwrap_err();
        assert!(saga.undo().is_certain);
    }

    #[tokio::test]
    async fn nothing_is_undone_while_the_last_step_may_have_happened() {
        for (step, traces) in [(SHORT, vec![]), (LIMIT, vec!["object"])] {
            let mut saga = Saga::begin(LIMIT);
            saga.adopt("object");
            let outcome = match step {
                SHORT => saga.finish("row", SHORT, hangs()).await,
                _ => saga.finish("row", LIMIT, refused()).await,
            };
            outcome.unwrap_err();
            let is_certain = !traces.is_empty();
            assert_eq!(saga.undo(), Undo { traces, is_certain });
        }
    }

    #[tokio::test]
    async fn all_steps_but_the_last_share_a_limit() {
        let mut saga = Saga::<&str>::begin(SHORT);
        let outcome = saga.look("probe", LIMIT, hangs()).await;
        assert!(matches!(outcome, Err(VideoError::TimedOut("probe"))));
        saga.finish("row", LIMIT, done()).await.unwrap();
    }
}
