//! Reads and discards the rest of a request's body before the answer is sent. Most clients read no answer while they send, and lose it when
//! they find the connection closed.
//!
//! The rest is read up to a size, and must come at the rate that [`RequestBody`] demands. Beyond that the answer is sent with
//! `Connection: close`. The answer is sent first where it would come too late: the client waits for `100 Continue`, or has announced too
//! much.

use std::{
    future::pending,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use http::{HeaderMap, HeaderValue, Request, Response, Version, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Bytes;
use telemetry::metrics::{self, DiscardOutcome};
use tokio::time::{Instant, timeout_at};

use crate::{Admission, BodyError, RequestBody};

/// A process that is asked to stop waits half a minute for its connections; the answer must be out by then.
const TIME_WHEN_STOPPING: Duration = Duration::from_secs(20);
/// How long, and for how many bytes, a connection is kept after an answer whose request isn't read to its end: until the client has
/// seen the answer. If it sent to a closed connection, the system would throw the answer away.
const LINGER: Duration = Duration::from_secs(2);
const MAX_LINGER_BYTES: usize = 16 << 20;

type IsStopping = Arc<dyn Fn() -> bool + Send + Sync>;

/// Throws away what handlers leave unread.
#[derive(Clone)]
pub struct Discarder {
    max_bytes: u64,
    is_stopping: IsStopping,
}

/// The body as a handler gets it. It is taken back when the answer is there.
pub struct RecoverableBody {
    shared: Arc<Mutex<SharedBody>>,
    admission: Admission,
}

/// A body that the handler and the [`Discarder`] share.
struct SharedBody {
    /// None: taken back.
    body: Option<RequestBody>,
    /// The handler has asked for it: a client that waits for `100 Continue` sends it now.
    is_wanted: bool,
    /// All of it has come.
    has_ended: bool,
    /// The rest won't come, or not in time.
    has_failed: bool,
}

/// What is known of a request while a handler has its body.
pub struct BodyState {
    shared: Arc<Mutex<SharedBody>>,
    admission: Admission,
    awaits_continue: bool,
    announced: u64,
}

/// What is left of a body.
struct Rest {
    body: RequestBody,
    discarder: Discarder,
}

/// An answer, which may go out before the rest of its request has come.
pub struct Answer<B> {
    body: B,
    /// What is left then.
    rest: Option<(Rest, AfterResponse)>,
}

/// What happens to the rest of a request whose answer is out.
#[derive(Debug, Clone, Copy)]
enum AfterResponse {
    /// All of it is thrown away.
    Discard,
    /// What comes in a moment is thrown away.
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

    /// The request with a body that [`Self::discard_rest`] takes back, and what that needs. None: it has no body.
    pub fn split_body(
        &self,
        request: Request<RequestBody>,
    ) -> (Request<Option<RecoverableBody>>, Option<BodyState>) {
        if request.body().is_end_stream() {
            return (request.map(|_| None), None);
        }
        let (parts, body) = request.into_parts();
        let shared = Arc::new(Mutex::new(SharedBody {
            body: Some(body),
            is_wanted: false,
            has_ended: false,
            has_failed: false,
        }));
        let state = BodyState {
            shared: shared.clone(),
            admission: Admission::of(&parts.extensions),
            awaits_continue: awaits_continue(parts.version, &parts.headers),
            announced: content_length(&parts.headers).unwrap_or(0),
        };
        let recoverable = RecoverableBody {
            shared,
            admission: state.admission.clone(),
        };
        let request = Request::from_parts(parts, Some(recoverable));
        (request, Some(state))
    }

    /// Throws away what is left of the request, before the answer goes out or afterwards.
    pub async fn discard_rest<B>(
        &self,
        state: Option<BodyState>,
        answer: Response<B>,
    ) -> Response<Answer<B>> {
        let Some(state) = state else {
            return without_rest(answer);
        };
        let (body, is_wanted, has_failed) = {
            let mut shared = lock(&state.shared);
            let body = shared.body.take();
            let body = body.filter(|body| !shared.has_ended && !body.is_end_stream());
            (body, shared.is_wanted, shared.has_failed)
        };
        let Some(body) = body else {
            return without_rest(answer);
        };
        state.admission.discarding();
        let mut rest = Rest {
            body,
            discarder: self.clone(),
        };
        if has_failed {
            return rest.after(answer, AfterResponse::Linger);
        }
        let is_useless = state.announced > self.max_bytes;
        if is_useless || (state.awaits_continue && !is_wanted) {
            return rest.after(answer, AfterResponse::Discard);
        }
        match rest.discard().await {
            DiscardOutcome::Whole if !(self.is_stopping)() => without_rest(answer),
            DiscardOutcome::Whole | DiscardOutcome::Broken => {
                without_rest(with_connection_close(answer))
            }
            _ => rest.after(answer, AfterResponse::Linger),
        }
    }
}

impl Rest {
    /// Sends the answer first.
    fn after<B>(self, answer: Response<B>, then: AfterResponse) -> Response<Answer<B>> {
        let rest = Some((self, then));
        with_connection_close(answer).map(|body| Answer { body, rest })
    }

    /// Reads to the end of the body, of the connection, or of what is allowed.
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
        // A handler that has read all of a body need not have asked whether that was its end.
        if bytes > 0 || outcome != DiscardOutcome::Whole {
            metrics::discarded(outcome, bytes);
        }
        outcome
    }

    /// Reads for a moment, or to the end of the body or of the connection.
    async fn linger(&mut self) {
        let read = async {
            let mut bytes = 0;
            while bytes < MAX_LINGER_BYTES {
                match self.body.frame().await {
                    Some(Ok(frame)) => bytes += frame.data_ref().map_or(0, Bytes::len),
                    // The client is still there, but its body isn't waited for any more.
                    Some(Err(BodyError::TooSlow)) => pending().await,
                    Some(Err(BodyError::Broken(_))) | None => return,
                }
            }
        };
        // However this ends, the connection ends with it.
        let _ = timeout_at(Instant::now() + LINGER, read).await;
    }
}

/// RFC 9110, section 10.1.1: HTTP/1.0 knows no such expectation.
fn awaits_continue(version: Version, headers: &HeaderMap) -> bool {
    let expect = headers.get(header::EXPECT);
    version == Version::HTTP_11
        && expect.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// An answer to a request that is read to its end: nothing is left to discard.
fn without_rest<B>(answer: Response<B>) -> Response<Answer<B>> {
    answer.map(|body| Answer { body, rest: None })
}

/// The declared length of a body, in bytes.
pub fn content_length(headers: &HeaderMap) -> Option<u64> {
    let value = headers.get(header::CONTENT_LENGTH)?;
    value.to_str().ok()?.parse().ok()
}

fn with_connection_close<B>(mut answer: Response<B>) -> Response<B> {
    let close = HeaderValue::from_static("close");
    answer.headers_mut().insert(header::CONNECTION, close);
    answer
}

fn lock(shared: &Mutex<SharedBody>) -> MutexGuard<'_, SharedBody> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Body for RecoverableBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut shared = lock(&self.shared);
        shared.is_wanted = true;
        let Some(body) = shared.body.as_mut() else {
            // Taken back: the answer is there. An end would look like the end of the body.
            return Poll::Ready(Some(Err(BodyError::TooSlow)));
        };
        let polled = Pin::new(body).poll_frame(cx);
        match &polled {
            Poll::Ready(None) => shared.has_ended = true,
            Poll::Ready(Some(Err(_))) => shared.has_failed = true,
            _ => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        let shared = lock(&self.shared);
        shared.body.as_ref().is_some_and(RequestBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        let shared = lock(&self.shared);
        let hint = shared.body.as_ref().map(RequestBody::size_hint);
        hint.unwrap_or_default()
    }
}

/// A handler that drops the body has all that it needs of it.
impl Drop for RecoverableBody {
    fn drop(&mut self) {
        if lock(&self.shared).body.is_some() {
            self.admission.admitted();
        }
    }
}

impl<B: Body + Unpin> Body for Answer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The server drops an answer when it has written it. Only then the rest is asked for: before, that would send `100 Continue`.
impl<B> Drop for Answer<B> {
    fn drop(&mut self) {
        if let Some((mut rest, then)) = self.rest.take() {
            tokio::spawn(async move {
                match then {
                    AfterResponse::Discard => match rest.discard().await {
                        DiscardOutcome::Whole | DiscardOutcome::Broken => {}
                        // Some clients read the answer only when a write waits.
                        _ => rest.linger().await,
                    },
                    AfterResponse::Linger => rest.linger().await,
                }
            });
        }
    }
}
