//! The middleware that logs requests: gives each an id, a line in the log, its metrics and its trace, and answers when a handler panics.

use std::{cell::Cell, panic::AssertUnwindSafe, time::Instant};

use futures::FutureExt as _;
use http::{HeaderValue, Method};
use idl::base::Code;
use telemetry::{
    RequestId,
    cost::{self, Cost},
    metrics, trace,
};
use tracing::{Instrument as _, Span};
use volo_http::{request::Request, response::Response};

use crate::{
    error::ApiError,
    i18n::Language,
    response::{Empty, failure},
};

/// The header that carries a request's id, in and out.
const REQUEST_ID: &str = "x-request-id";

/// The logged status of a request whose client left before the answer. It is never sent.
const CLIENT_CLOSED_REQUEST: u16 = 499;

tokio::task_local! {
    static FIELDS: Fields;
}

/// Fields of the log line that become known while the request is handled.
struct Fields {
    route: Cell<&'static str>,
    user_id: Cell<Option<i64>>,
}

/// Sets the route in the log line of this request. It is the path as the contract writes it, never as the client does.
pub fn set_route(route: &'static str) {
    // Outside a request there is no log line.
    let _ = FIELDS.try_with(|fields| fields.route.set(route));
}

/// Sets the user in the log line of this request: who asks, or who is logged in by it.
pub fn set_user(user_id: i64) {
    let _ = FIELDS.try_with(|fields| fields.user_id.set(Some(user_id)));
}

/// Has `handle` answer a request, and logs it.
pub async fn log_request<F: Future<Output = Response>>(
    request: Request,
    handle: impl FnOnce(Request) -> F,
) -> Response {
    let given = request
        .headers()
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok());
    let id = RequestId::accept_or_generate(given);
    let fields = Fields {
        route: Cell::new("none"),
        user_id: Cell::new(None),
    };
    let work = FIELDS.scope(fields, log(&id, request, handle));
    telemetry::scope(id.clone(), work).await
}

async fn log<F: Future<Output = Response>>(
    id: &RequestId,
    request: Request,
    handle: impl FnOnce(Request) -> F,
) -> Response {
    let given = request
        .headers()
        .get(trace::TRACEPARENT)
        .and_then(|value| value.to_str().ok());
    let span = trace::http(known_method(request.method()), given);
    let mut line = Line::begin(request.method(), span.clone());
    let language = Language::of(request.headers());
    let work = AssertUnwindSafe(async { handle(request).await }).catch_unwind();
    let (result, cost) = cost::scope(work).instrument(span).await;
    // The panic hook has logged where.
    let mut response =
        result.unwrap_or_else(|_| failure(&ApiError::new(Code::INTERNAL), Empty {}, language));
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    line.status = response.status().as_u16();
    line.cost = Some(cost);
    response
}

/// The log line of a request and its metrics. Written on drop, so also when the client left and the work was dropped.
struct Line {
    start: Instant,
    method: &'static str,
    status: u16,
    cost: Option<Cost>,
    span: Span,
    _in_progress: metrics::InProgress,
}

impl Line {
    fn begin(method: &Method, span: Span) -> Self {
        Self {
            start: Instant::now(),
            method: known_method(method),
            status: CLIENT_CLOSED_REQUEST,
            cost: None,
            span,
            _in_progress: metrics::http_in_progress(),
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let took = self.start.elapsed();
        let fields = FIELDS.try_with(|fields| (fields.route.get(), fields.user_id.get()));
        let (route, user_id) = fields.unwrap_or(("none", None));
        metrics::http_request(route, self.method, self.status, took);
        trace::http_ended(&self.span, self.method, route, self.status);
        tracing::info!(
            method = self.method,
            route,
            status = self.status,
            user_id,
            latency_ms = took.as_millis() as u64,
            rpcs = self.cost.map(|cost| cost.rpcs),
            sql = self.cost.map(|cost| cost.sql),
            "request"
        );
    }
}

/// The method for logs and metrics. A client may send any word.
fn known_method(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"];
    let found = known.into_iter().find(|known| *known == method.as_str());
    found.unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        sync::{Arc, Mutex},
    };

    use http_body_util::BodyExt as _;
    use tracing::subscriber::{self, DefaultGuard};
    use volo_http::body::Body;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_answered_as_a_server_error_that_tells_nothing() {
        let broken = async |_: Request| panic!("a secret, at src/routes/broken.rs:7");
        let response = log_request(Request::new(Body::empty()), broken).await;
        assert_eq!(response.status(), 500);
        assert!(response.headers().contains_key(REQUEST_ID));
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let text = std::str::from_utf8(&body).unwrap();
        assert!(text.contains("\"status_code\":20001"), "{text}");
        for internal in ["secret", ".rs", "panic", "src/"] {
            assert!(!text.contains(internal), "{text}");
        }
    }

    /// What is logged in this thread, as JSON lines.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Log {
        fn capture() -> (Self, DefaultGuard) {
            let log = Self::default();
            let writer = log.clone();
            let subscriber = tracing_subscriber::fmt()
                .json()
                .with_writer(move || writer.clone())
                .finish();
            (log, subscriber::set_default(subscriber))
        }

        /// The fields of the one line of a request.
        fn request(&self) -> serde_json::Value {
            let bytes = self.0.lock().unwrap();
            let lines = std::str::from_utf8(&bytes).unwrap().lines();
            let lines: Vec<&str> = lines.filter(|line| line.contains("latency_ms")).collect();
            assert_eq!(lines.len(), 1, "{lines:?}");
            let line: serde_json::Value = serde_json::from_str(lines[0]).unwrap();
            line["fields"].clone()
        }
    }

    fn request(method: &str, path: &str, id: &str) -> Request {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method.parse().unwrap();
        *request.uri_mut() = path.parse().unwrap();
        request
            .headers_mut()
            .insert(REQUEST_ID, id.parse().unwrap());
        request
    }

    #[tokio::test]
    async fn a_request_has_one_line_with_its_route_and_user_and_nothing_that_the_client_wrote() {
        let (log, _guard) = Log::capture();
        let handle = async |_: Request| {
            set_route("/douyin/user/");
            set_user(7);
            let mut response = Response::new(Body::empty());
            *response.status_mut() = http::StatusCode::ACCEPTED;
            response
        };
        let sent = request("BREW", "/douyin/user/?token=secret", "an-id");
        let response = log_request(sent, handle).await;
        assert_eq!(response.headers()[REQUEST_ID], "an-id");
        let line = log.request();
        assert_eq!(line["method"], "other");
        assert_eq!(line["route"], "/douyin/user/");
        assert_eq!(line["user_id"], 7);
        assert_eq!(line["status"], 202);
        assert!(!line.to_string().contains("secret"), "{line}");
    }

    #[tokio::test]
    async fn a_request_whose_client_left_is_logged_as_499() {
        let (log, _guard) = Log::capture();
        let work = log_request(request("GET", "/", "an-id"), |_| std::future::pending());
        assert!(work.now_or_never().is_none());
        assert_eq!(log.request()["status"], CLIENT_CLOSED_REQUEST);
    }

    #[tokio::test]
    async fn an_id_that_could_be_anything_is_replaced() {
        let handle = async |_: Request| Response::new(Body::empty());
        for id in ["", "a b", &"x".repeat(65)] {
            let response = log_request(request("GET", "/", id), handle).await;
            let given = response.headers()[REQUEST_ID].to_str().unwrap();
            assert!(!given.is_empty() && given != id, "{id}");
        }
    }
}
