//! Replies as the contract has them: JSON in UTF-8, always with `status_code` and `status_msg`.

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use idl::base::Code;
use serde::Serialize;
use utoipa::ToSchema;
use volo_http::{body::Body, response::Response};

use crate::{
    error::ApiError,
    words::{Language, words},
};

/// What every reply has, around its content.
#[derive(Serialize)]
pub struct Envelope<'a, T> {
    /// An entry of the table of codes.
    pub status_code: i32,
    /// For people.
    pub status_msg: &'a str,
    /// What the route has to say.
    #[serde(flatten)]
    pub content: T,
}

/// The content of a reply that has none besides its status.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Nothing {}

/// A success with its content.
pub fn success<T: Serialize>(content: T, language: Language) -> Response {
    json(StatusCode::OK, Code::OK, words(Code::OK, language), content)
}

/// A refusal or a failure; `content` is what the contract sends even then.
pub fn failure<T: Serialize>(error: &ApiError, content: T, language: Language) -> Response {
    let mut message = words(error.code, language).to_owned();
    let detail = error.detail.words(language);
    if !detail.is_empty() {
        message = format!("{message}{}{detail}", language.colon());
    }
    let mut response = json(error.http_status(), error.code, &message, content);
    if let Some(seconds) = error.retry_after() {
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn json<T: Serialize>(status: StatusCode, code: Code, message: &str, content: T) -> Response {
    let envelope = Envelope {
        status_code: code.inner(),
        status_msg: message,
        content,
    };
    // The reply types hold nothing that JSON can't: no maps with odd keys, no failing serializers.
    let body = serde_json::to_vec(&envelope).unwrap_or_default();
    let mut response = Response::new(Body::from(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json; charset=utf-8"),
    );
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Language"));
    response
}
