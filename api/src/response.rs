//! Replies of the contract: JSON in UTF-8, or protobuf for who asks for it, always with `status_code` and `status_msg`.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use idl::{base::Code, proto::Message};
use serde::Serialize;
use utoipa::ToSchema;
use volo_http::{body::Body, response::Response};

use crate::{
    accept_encoding::accepts_gzip,
    error::ApiError,
    i18n::{Language, code_message},
    protobuf::{PROTOBUF, accepts_protobuf, encode},
};

/// What every reply has, beside its content.
#[derive(Serialize)]
pub struct Envelope<'a, T> {
    /// An entry of the table of codes.
    pub status_code: i32,
    /// For people.
    pub status_msg: &'a str,
    /// The route's own fields.
    #[serde(flatten)]
    pub content: T,
}

/// The content of a reply that has none besides its status.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Empty {}

/// The language, compression and format that the client accepts.
#[derive(Debug, Clone, Copy)]
pub struct Negotiated {
    /// Of `status_msg`.
    pub language: Language,
    /// Whether it may be compressed.
    pub accepts_gzip: bool,
    /// In protobuf, as this message; none: in JSON.
    pub message: Option<&'static Message>,
}

impl Negotiated {
    /// What the headers of a request to the route at `path` say.
    pub fn of(headers: &HeaderMap, path: &str) -> Self {
        Self {
            language: Language::of(headers),
            accepts_gzip: accepts_gzip(headers),
            message: accepts_protobuf(headers).then(|| idl::proto::reply_of(path)),
        }
    }
}

/// A success with its content.
pub fn success<T: Serialize>(content: T, negotiated: &Negotiated) -> Response {
    match negotiated.message {
        Some(message) => protobuf(success_message(&content, message, negotiated.language)),
        None => {
            let words = code_message(Code::OK, negotiated.language);
            json(StatusCode::OK, Code::OK, words, content)
        }
    }
}

/// A success as a message of protobuf.
pub fn success_message<T: Serialize>(
    content: &T,
    message: &'static Message,
    language: Language,
) -> Bytes {
    let envelope = Envelope {
        status_code: Code::OK.inner(),
        status_msg: code_message(Code::OK, language),
        content,
    };
    Bytes::from(encode(&envelope, message))
}

/// A success that was written in protobuf.
pub fn protobuf(body: Bytes) -> Response {
    let mut response = reply(StatusCode::OK, body);
    let kind = HeaderValue::from_static(PROTOBUF);
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// The body of a success, whose content was rendered as a JSON object with fields before.
pub fn success_body(content: &[u8], language: Language) -> Bytes {
    let status = Envelope {
        status_code: Code::OK.inner(),
        status_msg: code_message(Code::OK, language),
        content: Empty {},
    };
    let mut body = serde_json::to_vec(&status).unwrap_or_default();
    // Both are objects: the end of one and the beginning of the other become a comma.
    body.pop();
    body.push(b',');
    body.extend(content.iter().skip(1));
    Bytes::from(body)
}

/// A success whose body was rendered, and perhaps compressed, before.
pub fn rendered(body: Bytes, is_gzip: bool) -> Response {
    let mut response = reply(StatusCode::OK, body);
    if is_gzip {
        let gzip = HeaderValue::from_static("gzip");
        response
            .headers_mut()
            .insert(header::CONTENT_ENCODING, gzip);
    }
    response
}

/// A refusal or a failure; `content` is what the contract sends even then.
pub fn failure<T: Serialize>(error: &ApiError, content: T, language: Language) -> Response {
    let message = error.message(language);
    let mut response = json(error.http_status(), error.code(), &message, content);
    if let Some(seconds) = error.retry_after() {
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

/// Makes the reply to a request that failed.
pub type Fail = fn(&ApiError, Language) -> Response;

/// The [`Fail`] of a route whose failures carry an empty `T`.
pub fn fail_with<T: Default + Serialize>(error: &ApiError, language: Language) -> Response {
    failure(error, T::default(), language)
}

fn json<T: Serialize>(status: StatusCode, code: Code, message: &str, content: T) -> Response {
    let envelope = Envelope {
        status_code: code.inner(),
        status_msg: message,
        content,
    };
    // The reply types hold nothing that JSON can't: no maps with odd keys, no failing serializers.
    let body = serde_json::to_vec(&envelope).unwrap_or_default();
    reply(status, Bytes::from(body))
}

fn reply(status: StatusCode, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "application/json; charset=utf-8"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
        (header::VARY, "Accept-Language"),
        // Also of a reply that is too short to be compressed: the next one may not be.
        (header::VARY, "Accept-Encoding"),
    ] {
        headers.append(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use serde_json::{Value, json};

    use super::*;

    async fn body(response: Response) -> Value {
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        serde_json::from_slice(&bytes).unwrap()
    }

    #[tokio::test]
    async fn the_content_stands_beside_the_status() {
        #[derive(Serialize)]
        struct Content {
            n: i64,
        }
        let headers = HeaderMap::from_iter([(header::ACCEPT_LANGUAGE, "zh".parse().unwrap())]);
        let response = success(Content { n: 7 }, &Negotiated::of(&headers, "/"));
        assert_eq!(response.status(), 200);
        let headers = response.headers();
        assert_eq!(headers["content-type"], "application/json; charset=utf-8");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["cache-control"], "no-store");
        let expected = json!({"status_code": 0, "status_msg": "成功", "n": 7});
        assert_eq!(body(response).await, expected);
    }

    #[tokio::test]
    async fn a_failure_says_when_to_come_again() {
        let error = ApiError::new(Code::UNAVAILABLE);
        let response = failure(&error, Empty {}, Language::English);
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["retry-after"], "1");
        let expected = json!({
            "status_code": 20002,
            "status_msg": "temporarily unavailable, please try again",
        });
        assert_eq!(body(response).await, expected);
        let response = failure(&ApiError::missing("title"), Empty {}, Language::English);
        assert!(!response.headers().contains_key("retry-after"));
    }
}
