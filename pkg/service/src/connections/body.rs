//! The body of a request, which ends when it comes slower than its [`Phase`] allows.
//!
//! Only time spent waiting for the client counts: what a handler takes between two reads is its own affair.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use http_body::{Body, Frame, SizeHint};
use hyper::body::{Bytes, Incoming};
use tokio::time::Instant;

use super::{
    activity::{Activity, Phase},
    paced::Timer,
};

/// What is thrown away must come at least so fast, in bytes a second, and within so long.
const DISCARD_RATE: u64 = 256 << 10;
const DISCARD_TIME: Duration = Duration::from_secs(5 * 60);

/// How slowly a body may come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyPace {
    /// Until it is whole or admitted.
    pub(crate) admission: Duration,
    /// In bytes a second, from then on.
    pub(crate) rate: u64,
    /// For so long nothing need come at first.
    pub(crate) grace: Duration,
    /// What came faster than it had to is credit for a pause, of so long at most.
    pub(crate) stall: Duration,
}

/// Why a body could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It came too slowly.
    #[error("the body comes too slowly")]
    TooSlow,
    /// The connection broke, or what came on it was malformed.
    #[error("the body broke off: {0}")]
    Broken(#[from] hyper::Error),
}

/// The body of a request on a connection of ours.
pub struct RequestBody<B = Incoming> {
    inner: B,
    activity: Arc<Activity>,
    phase: Phase,
    credit: Credit,
    /// Since when the client is waited for.
    waiting: Option<Instant>,
    timer: Timer,
}

impl<B: Body> RequestBody<B> {
    /// Of a request that has just begun.
    pub(super) fn new(inner: B, activity: Arc<Activity>) -> Self {
        let phase = activity.phase();
        let pace = activity.pace().body;
        Self {
            inner,
            phase,
            credit: Credit::new(phase, pace),
            activity,
            waiting: None,
            timer: Timer::default(),
        }
    }

    /// By when it must have ended or be admitted, however fast it comes.
    fn bound(&self) -> Option<Instant> {
        let (phase, since) = self.activity.phase_since();
        match phase {
            Phase::Body => Some(since + self.activity.pace().body.admission),
            Phase::Discarding => Some(since + DISCARD_TIME),
            _ => None,
        }
    }

    /// By when its next bytes must come, which are waited for since then.
    fn next_by(&self, waiting: Instant) -> Option<Instant> {
        match self.phase {
            Phase::Counted | Phase::Working | Phase::Discarding => Some(waiting + self.credit.left),
            // Only the time is bounded; or it was cut or answered, and whoever did that sees to the rest.
            Phase::Body | Phase::Idle | Phase::Head | Phase::Cut => None,
        }
    }
}

impl<B> Body for RequestBody<B>
where
    B: Body<Data = Bytes> + Unpin,
    BodyError: From<B::Error>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        let phase = this.activity.phase();
        if phase != this.phase {
            this.phase = phase;
            this.credit = Credit::new(phase, this.activity.pace().body);
        }
        let now = Instant::now();
        let waiting = *this.waiting.get_or_insert(now);
        let bound = this.bound();
        let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) else {
            let Some(deadline) = earlier(bound, this.next_by(waiting)) else {
                return Poll::Pending;
            };
            ready!(this.timer.poll(cx, deadline));
            return Poll::Ready(Some(Err(BodyError::TooSlow)));
        };
        this.waiting = None;
        let Some(frame) = frame else {
            this.activity.body_ended();
            return Poll::Ready(None);
        };
        let frame = frame?;
        let length = frame.data_ref().map_or(0, Bytes::len);
        this.credit.add(now - waiting, length);
        if this.inner.is_end_stream() {
            this.activity.body_ended();
        } else if bound.is_some_and(|bound| now >= bound) {
            return Poll::Ready(Some(Err(BodyError::TooSlow)));
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A handler that wants no more of it has all that it needs.
impl<B> Drop for RequestBody<B> {
    fn drop(&mut self) {
        self.activity.body_dropped();
    }
}

/// How long the client may be waited for.
struct Credit {
    left: Duration,
    most: Duration,
    rate: u64,
}

impl Credit {
    fn new(phase: Phase, pace: BodyPace) -> Self {
        let (rate, most) = match phase {
            Phase::Discarding => (DISCARD_RATE, pace.grace),
            _ => (pace.rate, pace.stall),
        };
        Self {
            left: pace.grace.min(most),
            most,
            rate: rate.max(1),
        }
    }

    /// After so long, so many bytes have come.
    fn add(&mut self, waited: Duration, bytes: usize) {
        let worth = Duration::from_secs_f64(bytes as f64 / self.rate as f64);
        self.left = (self.left.saturating_sub(waited) + worth).min(self.most);
    }
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}
