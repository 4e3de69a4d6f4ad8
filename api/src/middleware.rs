//! CORS and compression, by tower-http, around the router.
//!
//! The request log is outside of them, so that it has preflights too; the rate limit is inside, so that preflights don't count.

use std::{convert::Infallible, time::Duration};

use http::{Extensions, HeaderMap, HeaderValue, Method, StatusCode, Version, header};
use http_body_util::BodyExt as _;
use tower::{Layer as _, Service, ServiceExt as _};
use tower_http::{
    CompressionLevel,
    compression::{
        Compression,
        predicate::{Predicate as _, SizeAbove},
    },
    cors::CorsLayer,
};
use volo_http::{body::Body, request::Request, response::Response};

use crate::{accept_encoding::accepts_gzip, protobuf::PROTOBUF};

/// A shorter body is not compressed, in bytes: it fits into a packet either way.
pub const MIN_COMPRESSED: u16 = 1024;
/// How long a browser may remember the answer to a preflight.
const MAX_AGE: Duration = Duration::from_secs(600);

/// Has `service` answer, and compresses the reply if it is JSON or protobuf and the client accepts gzip. Assets are compressed already.
pub async fn compress<S>(service: S, mut request: Request) -> Response
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    if accepts_gzip(request.headers()) {
        // Said plainly, since tower-http doesn't read `*`.
        let gzip = HeaderValue::from_static("gzip");
        request.headers_mut().insert(header::ACCEPT_ENCODING, gzip);
    }
    let service = Compression::new(service)
        // A page of 30 videos takes a fraction of a millisecond; a higher level gains little on JSON.
        .quality(CompressionLevel::Fastest)
        .compress_when(SizeAbove::new(MIN_COMPRESSED).and(is_reply));
    let (parts, body) = answer(service, request).await.into_parts();
    // One piece, so that the reply has its `Content-Length`. It lies in memory, so this neither waits nor fails.
    let body = body.collect().await.map(|body| Body::from(body.to_bytes()));
    Response::from_parts(parts, body.unwrap_or_default())
}

fn is_reply(_: StatusCode, _: Version, headers: &HeaderMap, _: &Extensions) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE);
    content_type.is_some_and(|value| {
        let value = value.as_bytes();
        value.starts_with(b"application/json") || value == PROTOBUF.as_bytes()
    })
}

/// The origins whose pages may call the API from a browser. No cookie is ever read, so no credentials are allowed.
#[derive(Clone)]
pub struct Cors {
    origins: Vec<HeaderValue>,
    layer: CorsLayer,
}

impl Cors {
    /// `origins` as browsers write them; without any, no reply says a word about origins.
    pub fn new(origins: &[String]) -> Self {
        let parse = |origin: &String| HeaderValue::from_str(origin).ok();
        let origins: Vec<HeaderValue> = origins.iter().filter_map(parse).collect();
        let layer = CorsLayer::new()
            .allow_origin(origins.clone())
            .allow_methods([Method::GET, Method::HEAD, Method::POST])
            .allow_headers(
                [
                    "authorization",
                    "content-type",
                    "idempotency-key",
                    "x-request-id",
                ]
                .map(header::HeaderName::from_static),
            )
            .expose_headers(["retry-after", "x-request-id"].map(header::HeaderName::from_static))
            .max_age(MAX_AGE)
            .vary([header::ORIGIN]);
        Self { origins, layer }
    }

    /// Has `service` answer, or answers a preflight. What comes from another origin, and an OPTIONS that is no preflight, is answered
    /// as if there were no CORS.
    pub async fn call<S>(&self, service: S, request: Request) -> Response
    where
        S: Service<Request, Response = Response, Error = Infallible>,
    {
        if !self.applies_to(&request) {
            let mut response = answer(service, request).await;
            if !self.origins.is_empty() {
                // What this client was told must not be kept for one of another origin.
                let vary = HeaderValue::from_static("origin");
                response.headers_mut().append(header::VARY, vary);
            }
            return response;
        }
        let is_preflight = request.method() == Method::OPTIONS;
        let mut response = answer(self.layer.layer(service), request).await;
        if is_preflight {
            *response.status_mut() = StatusCode::NO_CONTENT;
        }
        response
    }

    fn applies_to(&self, request: &Request) -> bool {
        let headers = request.headers();
        let origin = headers.get(header::ORIGIN);
        let is_allowed = origin.is_some_and(|origin| self.origins.contains(origin));
        let is_preflight = headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        is_allowed && (request.method() != Method::OPTIONS || is_preflight)
    }
}

async fn answer<S, B>(service: S, request: Request) -> http::Response<B>
where
    S: Service<Request, Response = http::Response<B>, Error = Infallible>,
{
    match service.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use bytes::Bytes;
    use flate2::read::GzDecoder;
    use tower::service_fn;

    use super::*;

    const APP: &str = "https://app.example";

    fn request(method: Method, headers: &[(&'static str, &str)]) -> Request {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method;
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        request
    }

    async fn bytes(response: Response) -> Bytes {
        response.into_body().collect().await.unwrap().to_bytes()
    }

    /// Has a handler answer with `body`, of this content type and with this `Content-Encoding`.
    async fn compressed(
        accepts: &str,
        body: &'static [u8],
        headers: &[(&'static str, &'static str)],
    ) -> Response {
        let service = service_fn(async |_: Request| {
            let mut response = Response::new(Body::from(Bytes::from_static(body)));
            for (name, value) in headers {
                response
                    .headers_mut()
                    .insert(*name, HeaderValue::from_static(value));
            }
            Ok::<_, Infallible>(response)
        });
        compress(
            service,
            request(Method::GET, &[("accept-encoding", accepts)]),
        )
        .await
    }

    const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");

    #[tokio::test]
    async fn long_json_is_compressed_for_clients_that_accept_gzip() {
        const LONG: &[u8] = &[b' '; 2048];
        for accepts in ["gzip", "br, gzip;q=0.5", "gzip, deflate, br", "*"] {
            let response = compressed(accepts, LONG, &[JSON]).await;
            assert_eq!(response.headers()["content-encoding"], "gzip", "{accepts}");
            let size = http_body::Body::size_hint(response.body()).exact();
            let packed = bytes(response).await;
            assert_eq!(size, Some(packed.len() as u64), "its length is known");
            let mut plain = Vec::new();
            GzDecoder::new(&*packed).read_to_end(&mut plain).unwrap();
            assert_eq!(plain, LONG);
        }
        for accepts in ["", "identity", "br", "gzip;q=0"] {
            let response = compressed(accepts, LONG, &[JSON]).await;
            assert!(
                !response.headers().contains_key("content-encoding"),
                "{accepts}"
            );
            assert_eq!(bytes(response).await, LONG);
        }
    }

    #[tokio::test]
    async fn what_is_short_no_json_or_compressed_already_passes_as_it_is() {
        const LONG: &[u8] = &[b' '; 2048];
        let encoded = ("content-encoding", "gzip");
        for (body, headers) in [
            (&LONG[..1023], vec![JSON]),
            (LONG, vec![("content-type", "image/png")]),
            (LONG, vec![JSON, encoded]),
        ] {
            let response = compressed("gzip", body, &headers).await;
            let size = http_body::Body::size_hint(response.body()).exact();
            assert_eq!(size, Some(body.len() as u64), "{headers:?}");
            let coding = response.headers().contains_key("content-encoding");
            assert_eq!(coding, headers.contains(&encoded));
            assert_eq!(bytes(response).await, body, "{headers:?}");
        }
    }

    /// The reply to a request with these headers, where `APP` is allowed. The router behind answers 202.
    async fn called(
        origins: &[String],
        method: Method,
        headers: &[(&'static str, &str)],
    ) -> Response {
        let service = service_fn(async |_: Request| {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::ACCEPTED;
            Ok::<_, Infallible>(response)
        });
        Cors::new(origins)
            .call(service, request(method, headers))
            .await
    }

    #[tokio::test]
    async fn only_the_preflight_of_an_allowed_origin_is_answered_by_the_middleware() {
        let asks = ("access-control-request-method", "POST");
        for (headers, status) in [
            (vec![("origin", APP), asks], 204),
            (vec![("origin", APP)], 202),
            (vec![asks], 202),
            (vec![("origin", "https://other.example"), asks], 202),
            (vec![], 202),
        ] {
            let response = called(&[APP.to_owned()], Method::OPTIONS, &headers).await;
            assert_eq!(response.status(), status, "{headers:?}");
            assert_eq!(response.headers()["vary"], "origin", "{headers:?}");
            let allowed = response.headers().get("access-control-allow-origin");
            assert_eq!(allowed.is_some(), status == 204, "{headers:?}");
        }
    }

    #[tokio::test]
    async fn a_reply_names_the_origin_that_may_read_it() {
        for (origin, is_allowed) in [(APP, true), ("http://app.example", false), ("null", false)] {
            let response = called(&[APP.to_owned()], Method::POST, &[("origin", origin)]).await;
            assert_eq!(response.status(), 202);
            let allowed = response.headers().get("access-control-allow-origin");
            assert_eq!(
                allowed.is_some_and(|value| value == APP),
                is_allowed,
                "{origin}"
            );
            assert_eq!(response.headers()["vary"], "origin");
        }
        let response = called(&[], Method::POST, &[("origin", APP)]).await;
        assert!(response.headers().is_empty(), "no origin may");
    }
}
