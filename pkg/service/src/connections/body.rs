//! The body of a request. It ends with an error when it comes slower than the [`Phase`] of its connection allows.
//!
//! Only the time spent waiting for the client counts, not what the handler does between two reads.

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
    timeout_stream::Timer,
    timeouts::BodyRate,
};

/// A discarded body must arrive at this rate at least, in bytes a second, and within this time.
const DISCARD_RATE: u64 = 256 << 10;
const DISCARD_TIME: Duration = Duration::from_secs(5 * 60);

/// Why a body could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It arrived too slowly.
    #[error("the body comes too slowly")]
    TooSlow,
    /// The connection broke, or its bytes were malformed.
    #[error("the body broke off: {0}")]
    Broken(#[from] hyper::Error),
}

/// The body of a request on a connection of ours.
pub struct RequestBody<B = Incoming> {
    inner: B,
    activity: Arc<Activity>,
    phase: Phase,
    credit: Credit,
    /// Since when this side waits for the client.
    waiting: Option<Instant>,
    timer: Timer,
}

impl<B: Body> RequestBody<B> {
    /// The body of a request that has just begun.
    pub(super) fn new(inner: B, activity: Arc<Activity>) -> Self {
        let phase = activity.phase();
        let body_rate = activity.timeouts().body;
        Self {
            inner,
            phase,
            credit: Credit::new(phase, body_rate),
            activity,
            waiting: None,
            timer: Timer::default(),
        }
    }

    /// By when it must have ended or be admitted, whatever its rate.
    fn bound(&self) -> Option<Instant> {
        let (phase, since) = self.activity.phase_since();
        match phase {
            Phase::Body => Some(since + self.activity.timeouts().body.admission),
            Phase::Discarding => Some(since + DISCARD_TIME),
            _ => None,
        }
    }

    /// By when its next bytes must arrive, if this side waits since `waiting`.
    fn next_by(&self, waiting: Instant) -> Option<Instant> {
        match self.phase {
            Phase::Counted | Phase::Working | Phase::Discarding => Some(waiting + self.credit.left),
            // The first has a deadline instead of a rate. The others are idle, answered or evicted, and end elsewhere.
            Phase::Body | Phase::Idle | Phase::Head | Phase::Evicted => None,
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
            this.credit = Credit::new(phase, this.activity.timeouts().body);
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

/// A handler that drops the body has read what it needs.
impl<B> Drop for RequestBody<B> {
    fn drop(&mut self) {
        self.activity.body_dropped();
    }
}

/// How long the client may send nothing: a token bucket in units of time.
struct Credit {
    left: Duration,
    max: Duration,
    rate: u64,
}

impl Credit {
    fn new(phase: Phase, body_rate: BodyRate) -> Self {
        let (rate, max) = match phase {
            Phase::Discarding => (DISCARD_RATE, body_rate.grace),
            _ => (body_rate.rate, body_rate.stall),
        };
        Self {
            left: body_rate.grace.min(max),
            max,
            rate: rate.max(1),
        }
    }

    /// `bytes` have arrived after `waited`.
    fn add(&mut self, waited: Duration, bytes: usize) {
        let worth = Duration::from_secs_f64(bytes as f64 / self.rate as f64);
        self.left = (self.left.saturating_sub(waited) + worth).min(self.max);
    }
}

fn earlier(one: Option<Instant>, other: Option<Instant>) -> Option<Instant> {
    one.into_iter().chain(other).min()
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

    use super::*;
    use crate::connections::{TIMEOUTS, Timeouts};

    const KIB: usize = 1 << 10;
    const BODY_RATE: BodyRate = BodyRate {
        admission: Duration::from_millis(100),
        rate: 8 << 10,
        grace: Duration::from_millis(100),
        stall: Duration::from_millis(100),
    };

    /// What a test sends, as hyper would hand it out.
    struct Sent(UnboundedReceiver<Bytes>);

    impl Body for Sent {
        type Data = Bytes;
        type Error = hyper::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
            self.0
                .poll_recv(cx)
                .map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
        }
    }

    fn request(body_rate: BodyRate) -> (UnboundedSender<Bytes>, Arc<Activity>, RequestBody<Sent>) {
        let (send, sent) = unbounded_channel();
        let timeouts = Timeouts {
            body: body_rate,
            ..TIMEOUTS
        };
        let activity = Arc::new(Activity::new(timeouts, 1));
        assert!(activity.begin(true));
        let body = RequestBody::new(Sent(sent), activity.clone());
        (send, activity, body)
    }

    fn is_too_slow(frame: Option<Result<Frame<Bytes>, BodyError>>) -> bool {
        matches!(frame, Some(Err(BodyError::TooSlow)))
    }

    #[test]
    fn a_body_must_keep_its_rate_and_what_came_faster_is_credit_for_a_pause() {
        let body_rate = BodyRate {
            admission: Duration::ZERO,
            rate: 8 << 10,
            grace: Duration::from_secs(10),
            stall: Duration::from_secs(20),
        };
        let second = Duration::from_secs(1);
        let mut drip = Credit::new(Phase::Working, body_rate);
        drip.add(9 * second, 1);
        assert!(drip.left < 2 * second, "a byte wins no time to speak of");

        let mut steady = Credit::new(Phase::Working, body_rate);
        for _ in 0..1000 {
            steady.add(second, 8 * KIB);
            assert_eq!(steady.left, 10 * second);
        }
        let mut fast = Credit::new(Phase::Working, body_rate);
        fast.add(second, 1024 * KIB);
        assert_eq!(fast.left, 20 * second, "and no more than that");
        for _ in 0..39 {
            fast.add(second, 4 * KIB);
        }
        assert!(fast.left <= second, "half the rate eats it up");

        let mut discarded = Credit::new(Phase::Discarding, body_rate);
        for _ in 0..10 {
            discarded.add(second, 128 * KIB);
        }
        assert_eq!(discarded.left, 5 * second);
        discarded.add(5 * second, 128 * KIB);
        assert!(discarded.left < second);
    }

    #[tokio::test]
    async fn what_is_not_admitted_has_its_time_however_fast_it_comes() {
        let (send, _activity, mut body) = request(BODY_RATE);
        let ended = async {
            loop {
                let frame = body.frame().await;
                if frame.is_none() || is_too_slow(frame) {
                    break;
                }
            }
        };
        let flood = async {
            loop {
                send.send(Bytes::from_static(&[0; KIB])).unwrap();
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            () = ended => {}
            () = flood => {}
        }
    }

    #[tokio::test]
    async fn an_admitted_body_goes_on_and_ends_when_nothing_comes() {
        let (send, activity, mut body) = request(BodyRate {
            admission: Duration::from_secs(60),
            ..BODY_RATE
        });
        send.send(Bytes::from_static(b"token")).unwrap();
        assert!(body.frame().await.unwrap().is_ok());
        activity.admitted();
        assert_eq!(activity.candidate(), None);
        assert!(is_too_slow(body.frame().await));
    }

    #[tokio::test]
    async fn what_comes_whole_is_worked_on_and_what_a_handler_takes_costs_the_client_nothing() {
        let (send, activity, mut body) = request(BODY_RATE);
        activity.counted();
        for _ in 0..3 {
            tokio::time::sleep(BODY_RATE.grace * 2).await;
            send.send(Bytes::from_static(b"x")).unwrap();
            assert!(body.frame().await.unwrap().is_ok());
        }
        assert!(activity.candidate().is_some());
        drop(send);
        assert!(body.frame().await.is_none());
        assert_eq!(activity.phase(), Phase::Working);
        assert_eq!(activity.candidate(), None);
    }

    #[tokio::test]
    async fn a_refused_body_never_gets_admitted_again_but_by_its_end() {
        let (send, activity, mut body) = request(BODY_RATE);
        activity.discarding();
        activity.admitted();
        assert_eq!(activity.phase(), Phase::Discarding);
        send.send(Bytes::from_static(&[0; KIB])).unwrap();
        assert!(body.frame().await.unwrap().is_ok());
        assert!(is_too_slow(body.frame().await), "far below its rate");
        drop(body);
        assert_eq!(activity.phase(), Phase::Idle);
    }
}
