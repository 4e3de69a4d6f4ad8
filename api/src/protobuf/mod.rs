//! Protobuf beside JSON: a reply's type is written as either, by the names of its fields; a request's body is read as JSON is.
//!
//! The messages are those of idl/douyin.proto. What has no field there is left out; a test holds both forms of every route equal.

mod decode;
mod encode;

use std::convert::Infallible;

use http::{HeaderMap, HeaderValue, header};
use http_body_util::BodyExt as _;
use tower::{Service, ServiceExt as _};
use volo_http::{body::Body, request::Request, response::Response};

pub use decode::{DecodeError, fields};
pub use encode::encode;

/// The media type, of requests and replies.
pub const PROTOBUF: &str = "application/x-protobuf";

/// Whether the client wants its replies in protobuf: it names the type, and doesn't refuse it.
pub fn accepts_protobuf(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::ACCEPT).iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    texts.flat_map(|text| text.split(',')).any(|range| {
        let (name, parameters) = range.split_once(';').unwrap_or((range, ""));
        let weight = parameters
            .split(';')
            .find_map(|one| one.trim().strip_prefix("q="));
        let is_refused = weight.is_some_and(|q| q.trim().parse().is_ok_and(|q: f32| q <= 0.0));
        name.trim().eq_ignore_ascii_case(PROTOBUF) && !is_refused
    })
}

/// Has `service` answer; a reply that is still JSON, as every failure is, becomes protobuf if the client wants that.
pub async fn answer<S>(service: S, request: Request) -> Response
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    let message =
        accepts_protobuf(request.headers()).then(|| idl::proto::reply_of(request.uri().path()));
    let response = match service.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    let is_json = |headers: &HeaderMap| {
        let kind = headers.get(header::CONTENT_TYPE);
        kind.is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"))
    };
    let Some(message) = message.filter(|_| is_json(response.headers())) else {
        return response;
    };
    let (mut parts, body) = response.into_parts();
    // It lies in memory, so this neither waits nor fails.
    let body = body
        .collect()
        .await
        .map(|body| body.to_bytes())
        .unwrap_or_default();
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(&body) else {
        return Response::from_parts(parts, Body::from(body));
    };
    let kind = HeaderValue::from_static(PROTOBUF);
    parts.headers.insert(header::CONTENT_TYPE, kind);
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, Body::from(encode(&value, message)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protobuf_is_wanted_by_its_name_alone() {
        for (accept, wants) in [
            ("application/x-protobuf", true),
            ("application/json, Application/X-Protobuf;q=0.9", true),
            ("application/x-protobuf;q=0", false),
            ("application/x-protobuf; q=0.0", false),
            ("*/*", false),
            ("application/*", false),
            ("application/json", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::ACCEPT, accept.parse().unwrap())]);
            assert_eq!(accepts_protobuf(&headers), wants, "{accept}");
        }
        assert!(!accepts_protobuf(&HeaderMap::new()));
    }
}
