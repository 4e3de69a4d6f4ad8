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
use volo_http::{
    context::ServerContext,
    request::Request,
    response::Response,
    server::{IntoResponse as _, middleware::Next},
};

use crate::{
    error::ApiError,
    i18n::Language,
    response::{Empty, failure},
};

/// The header that carries a request's id, in and out.
const REQUEST_ID: &str = "x-request-id";

/// The status of a request whose client left before the answer, as web servers log it; nobody is sent it.
const CLIENT_LEFT: u16 = 499;

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

/// The outermost layer of every route.
pub async fn log_request(cx: &mut ServerContext, request: Request, next: Next) -> Response {
    let given = request
        .headers()
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok());
    let id = RequestId::accept_or_generate(given);
    let fields = Fields {
        route: Cell::new("none"),
        user_id: Cell::new(None),
    };
    telemetry::scope(
        id.clone(),
        FIELDS.scope(fields, log(&id, cx, request, next)),
    )
    .await
}

async fn log(id: &RequestId, cx: &mut ServerContext, request: Request, next: Next) -> Response {
    let given = request
        .headers()
        .get(trace::TRACEPARENT)
        .and_then(|value| value.to_str().ok());
    let span = trace::http(known_method(request.method()), given);
    let mut line = Line::begin(request.method(), span.clone());
    let language = Language::of(request.headers());
    let work = AssertUnwindSafe(next.run(cx, request)).catch_unwind();
    let (result, cost) = cost::scope(work).instrument(span).await;
    let mut response = match result {
        Ok(response) => response.into_response(),
        // The panic hook has logged where.
        Err(_) => failure(&ApiError::new(Code::INTERNAL), Empty {}, language),
    };
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    line.status = response.status().as_u16();
    line.cost = Some(cost);
    response
}

/// The one line of a request, and its metrics: written when its work ends, also when the client left and the work was dropped.
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
            status: CLIENT_LEFT,
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

/// A client may send any word as a method.
fn known_method(method: &Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"];
    let found = known.into_iter().find(|known| *known == method.as_str());
    found.unwrap_or("other")
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};

    use http_body_util::BodyExt as _;
    use volo::{Service as _, net::Address};
    use volo_http::{
        body::Body,
        server::{
            middleware,
            route::{Router, get},
        },
    };

    use super::*;

    async fn broken() -> &'static str {
        panic!("a secret, at src/routes/broken.rs:7")
    }

    #[tokio::test]
    async fn a_panic_is_answered_as_a_failure_of_ours_that_tells_nothing() {
        let router: Router = Router::new()
            .route("/", get(broken))
            .layer(middleware::from_fn(log_request));
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        for _ in 0..2 {
            let mut cx = ServerContext::new(Address::from(peer));
            let request = Request::new(Body::empty());
            let response = router.call(&mut cx, request).await.unwrap();
            assert_eq!(response.status(), 500);
            assert!(response.headers().contains_key(REQUEST_ID));
            let body = response.into_body().collect().await.unwrap().to_bytes();
            let text = std::str::from_utf8(&body).unwrap();
            assert!(text.contains("\"status_code\":20001"), "{text}");
            for internal in ["secret", ".rs", "panic", "src/"] {
                assert!(!text.contains(internal), "{text}");
            }
        }
    }
}
