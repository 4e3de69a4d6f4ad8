//! Cross-origin requests: a page of an origin that the settings name may call the API from its visitor's browser.
//!
//! No cookie is ever read, so no credentials are allowed: a page sends its token itself.

use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use volo_http::{body::Body, response::Response};

/// Methods that any route has.
const METHODS: &str = "GET, HEAD, POST";
/// Headers that routes read and a browser asks about first.
const HEADERS: &str = "Authorization, Content-Type, Idempotency-Key, X-Request-Id";
/// Headers of replies that a page may read besides the harmless ones.
const EXPOSED: &str = "Retry-After, X-Request-Id";
/// How long a browser may remember the answer to a preflight, in seconds.
const MAX_AGE: &str = "600";

/// The origins that may.
#[derive(Debug, Clone)]
pub struct Cors {
    origins: Vec<String>,
}

impl Cors {
    /// None may unless it is named.
    pub fn new(origins: Vec<String>) -> Self {
        Self { origins }
    }

    /// The origin of this request, if it may.
    pub fn origin<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
        let origin = headers.get(header::ORIGIN)?;
        let named = self.origins.iter().any(|one| one.as_bytes() == origin);
        named.then_some(origin)
    }

    /// The answer to a browser that asks before it sends; none to an origin that may not.
    pub fn preflight(&self, method: &Method, headers: &HeaderMap) -> Option<Response> {
        if *method != Method::OPTIONS
            || !headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
        {
            return None;
        }
        let origin = self.origin(headers)?;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS),
            (header::ACCESS_CONTROL_MAX_AGE, MAX_AGE),
        ] {
            let value = HeaderValue::from_static(value);
            response.headers_mut().insert(name, value);
        }
        self.mark(Some(origin), response.headers_mut());
        Some(response)
    }

    /// Tells the browser whether its page may read this reply.
    pub fn mark(&self, origin: Option<&HeaderValue>, headers: &mut HeaderMap) {
        if self.origins.is_empty() {
            return;
        }
        // Also for others: what one origin was told must not be kept for another.
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = origin {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            let exposed = HeaderValue::from_static(EXPOSED);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
        }
    }
}
