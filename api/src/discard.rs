//! What is still coming of a body that nobody reads any more: it is read and thrown away before the answer goes out, since
//! most clients read no answer while they write, and one that finds the connection closed loses it.
//!
//! Around all routes. Up to a size, and as fast as `service` asks of it: beyond that the answer goes out with `Connection: close`.
//! Where it would come too late (the client waits for `100 Continue`, or has announced too much), it goes out first.

use std::{
    future::pending,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, Version, header};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt as _;
use service::{Admission, BodyError, RequestBody};
use telemetry::metrics::{self, DiscardOutcome};
use tokio::time::{Instant, timeout_at};
use volo_http::body::Body;

use crate::params::body::content_length;

/// A process that is asked to stop waits half a minute for its connections: an answer must be there by then.
const TIME_WHEN_STOPPING: Duration = Duration::from_secs(20);
/// So long, and so many bytes, a connection is kept behind an answer whose request is not read to its end: until the client has
/// seen it. What it sends to a closed connection would have the system throw the answer away.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 16 << 20;

type IsStopping = Arc<dyn Fn() -> bool + Send + Sync>;

/// Throws away what requests leave.
#[derive(Clone)]
pub struct Discarder {
    max_bytes: u64,
    is_stopping: IsStopping,
}

/// A body that is lent to whoever answers, and taken back when the answer is there.
struct Lent {
    loan: Arc<Mutex<Loan>>,
    admission: Admission,
}

struct Loan {
    /// None: taken back.
    body: Option<RequestBody>,
    /// It was asked for, so that a client that waits for `100 Continue` sends it.
    is_wanted: bool,
    /// Nothing more comes, or not in time.
    has_ended: bool,
    has_failed: bool,
}

/// What is known of a request whose body is lent.
pub struct Lending {
    loan: Arc<Mutex<Loan>>,
    admission: Admission,
    awaits_continue: bool,
    announced: u64,
}

/// What is left of a body.
struct Rest {
    body: RequestBody,
    discarder: Discarder,
}

/// An answer that goes out before the rest of its request has come.
struct Ahead {
    answer: Body,
    /// What is left, and whether all of it is thrown away or what comes in a moment.
    rest: Option<(Rest, Behind)>,
}

#[derive(Debug, Clone, Copy)]
enum Behind {
    All,
    Linger,
}

impl Discarder {
    /// `max_bytes`: of a body that is thrown away; `is_stopping`: whether the process has been asked to stop.
    pub fn new(max_bytes: u64, is_stopping: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self {
            max_bytes,
            is_stopping: Arc::new(is_stopping),
        }
    }

    /// The request with a body that [`Self::settle`] takes back; none: there is nothing that could be left.
    pub fn lend(&self, request: Request<RequestBody>) -> (Request<Body>, Option<Lending>) {
        if request.body().is_end_stream() {
            return (request.map(|_| Body::empty()), None);
        }
        let (parts, body) = request.into_parts();
        let loan = Arc::new(Mutex::new(Loan {
            body: Some(body),
            is_wanted: false,
            has_ended: false,
            has_failed: false,
        }));
        let lending = Lending {
            loan: loan.clone(),
            admission: Admission::of(&parts.extensions),
            awaits_continue: awaits_continue(parts.version, &parts.headers),
            announced: content_length(&parts.headers).unwrap_or(0),
        };
        let lent = Lent {
            loan,
            admission: lending.admission.clone(),
        };
        let request = Request::from_parts(parts, Body::from_body(lent));
        (request, Some(lending))
    }

    /// Sees to what is left of the request, before the answer goes out or meanwhile.
    pub async fn settle(&self, lending: Lending, answer: Response<Body>) -> Response<Body> {
        let (body, is_wanted, has_failed) = {
            let mut loan = lock(&lending.loan);
            let body = loan.body.take();
            let body = body.filter(|body| !loan.has_ended && !body.is_end_stream());
            (body, loan.is_wanted, loan.has_failed)
        };
        let Some(body) = body else { return answer };
        lending.admission.discarding();
        let mut rest = Rest {
            body,
            discarder: self.clone(),
        };
        if has_failed {
            return rest.behind(answer, Behind::Linger);
        }
        let is_useless = lending.announced > self.max_bytes;
        if is_useless || (lending.awaits_continue && !is_wanted) {
            return rest.behind(answer, Behind::All);
        }
        match rest.discard().await {
            DiscardOutcome::Whole if !(self.is_stopping)() => answer,
            DiscardOutcome::Whole | DiscardOutcome::Broken => closing(answer),
            _ => rest.behind(answer, Behind::Linger),
        }
    }
}

impl Rest {
    fn behind(self, answer: Response<Body>, behind: Behind) -> Response<Body> {
        closing(answer.map(|answer| {
            Body::from_body(Ahead {
                answer,
                rest: Some((self, behind)),
            })
        }))
    }

    /// To the end of the body, of the connection, or of what is allowed.
    async fn discard(&mut self) -> DiscardOutcome {
        let mut bytes = 0;
        let mut end = None;
        let outcome = loop {
            if end.is_none() && (self.discarder.is_stopping)() {
                end = Some(Instant::now() + TIME_WHEN_STOPPING);
            }
            if end.is_some_and(|end| Instant::now() >= end) {
                break DiscardOutcome::TooLong;
            }
            match self.body.frame().await {
                None => break DiscardOutcome::Whole,
                Some(Err(BodyError::TooSlow)) => break DiscardOutcome::TooSlow,
                Some(Err(BodyError::Broken(_))) => break DiscardOutcome::Broken,
                Some(Ok(frame)) => {
                    bytes += frame.data_ref().map_or(0, Bytes::len) as u64;
                    if bytes > self.discarder.max_bytes {
                        break DiscardOutcome::TooLarge;
                    }
                }
            }
        };
        // Whoever has read all that a body holds need not have asked whether that was its end.
        if bytes > 0 || outcome != DiscardOutcome::Whole {
            metrics::discarded(outcome, bytes);
        }
        outcome
    }

    /// For a moment, or to the end of the body or of the connection.
    async fn linger(&mut self) {
        let read = async {
            let mut bytes = 0;
            while bytes < LINGER_BYTES {
                match self.body.frame().await {
                    Some(Ok(frame)) => bytes += frame.data_ref().map_or(0, Bytes::len),
                    // Still there, but it isn't waited for any more.
                    Some(Err(BodyError::TooSlow)) => pending().await,
                    Some(Err(BodyError::Broken(_))) | None => return,
                }
            }
        };
        // However it ends, the connection ends with it.
        let _ = timeout_at(Instant::now() + LINGER, read).await;
    }
}

/// RFC 9110, section 10.1.1: HTTP/1.0 knows no such expectation.
fn awaits_continue(version: Version, headers: &HeaderMap) -> bool {
    let expect = headers.get(header::EXPECT);
    version == Version::HTTP_11
        && expect.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

fn closing(mut answer: Response<Body>) -> Response<Body> {
    let close = HeaderValue::from_static("close");
    answer.headers_mut().insert(header::CONNECTION, close);
    answer
}

fn lock(loan: &Mutex<Loan>) -> MutexGuard<'_, Loan> {
    loan.lock().unwrap_or_else(PoisonError::into_inner)
}

impl http_body::Body for Lent {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut loan = lock(&self.loan);
        loan.is_wanted = true;
        let Some(body) = loan.body.as_mut() else {
            // Answered already. An end would be taken for that of the body.
            return Poll::Ready(Some(Err(BodyError::TooSlow)));
        };
        let polled = Pin::new(body).poll_frame(cx);
        match &polled {
            Poll::Ready(None) => loan.has_ended = true,
            Poll::Ready(Some(Err(_))) => loan.has_failed = true,
            _ => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        let loan = lock(&self.loan);
        loan.body.as_ref().is_some_and(RequestBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let loan = lock(&self.loan);
        let hint = loan.body.as_ref().map(RequestBody::size_hint);
        hint.unwrap_or_default()
    }
}

/// A handler that wants no more of it has all that it needs, as when it is no loan.
impl Drop for Lent {
    fn drop(&mut self) {
        if lock(&self.loan).body.is_some() {
            self.admission.admitted();
        }
    }
}

impl http_body::Body for Ahead {
    type Data = Bytes;
    type Error = <Body as http_body::Body>::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.get_mut().answer).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.answer.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.answer.size_hint()
    }
}

/// The server lets go of an answer when it has written it. Only then the rest is asked for: before, that would send `100 Continue`.
impl Drop for Ahead {
    fn drop(&mut self) {
        if let Some((mut rest, behind)) = self.rest.take() {
            tokio::spawn(async move {
                match behind {
                    Behind::All => {
                        rest.discard().await;
                    }
                    Behind::Linger => rest.linger().await,
                }
            });
        }
    }
}
