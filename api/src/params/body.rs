//! Reads a request's body into parameters: form, JSON or multipart text fields, at most 1 MiB. Uploads are not read here.

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use http::{HeaderMap, header};
use volo_http::body::Body;

use super::Params;
use crate::{error::ApiError, rules::Rule};

/// Largest form, JSON or text-only multipart body, by the contract.
const MAX_BYTES: usize = 1 << 20;

/// Why a body could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It came too slowly, or stopped moving.
    #[error("the body comes too slowly")]
    Stalled,
    /// The connection broke, or the chunks were malformed.
    #[error("the body broke off: {0}")]
    Broken(String),
}

/// The body as a stream, which ends with its first error. How slowly it may come is the connection's affair.
pub fn moving(body: Body) -> impl Stream<Item = Result<Bytes, BodyError>> + Send + 'static {
    use http_body_util::BodyExt as _;
    let stream = Box::pin(body.into_data_stream());
    futures::stream::unfold(Some(stream), move |stream| async move {
        let mut stream = stream?;
        match stream.next().await? {
            Ok(chunk) => Some((Ok(chunk), Some(stream))),
            Err(error) => Some((Err(body_error(&*error)), None)),
        }
    })
    .fuse()
}

fn body_error(error: &(dyn std::error::Error + Send + Sync + 'static)) -> BodyError {
    match error.downcast_ref() {
        Some(service::BodyError::TooSlow) => BodyError::Stalled,
        _ => BodyError::Broken(error.to_string()),
    }
}

impl Params {
    /// Adds what the body holds, by its content type.
    pub async fn add_body(&mut self, headers: &HeaderMap, body: Body) -> Result<(), ApiError> {
        let stream = moving(body);
        futures::pin_mut!(stream);
        if content_length(headers).is_some_and(|length| length > MAX_BYTES as u64) {
            return Err(ApiError::too_large());
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = stream.next().await {
            bytes.extend_from_slice(&chunk?);
            if bytes.len() > MAX_BYTES {
                return Err(ApiError::too_large());
            }
        }
        if bytes.is_empty() {
            return Ok(());
        }
        let declared = headers
            .get(header::CONTENT_TYPE)
            .map(|value| value.to_str().unwrap_or("?"));
        match declared.map(essence).as_deref() {
            None | Some("application/x-www-form-urlencoded") => {
                self.add_urlencoded(&bytes, "form body")
            }
            Some("application/json") => self.add_json(&bytes),
            Some("multipart/form-data") => {
                self.add_multipart(declared.unwrap_or_default(), bytes.into())
                    .await
            }
            Some(_) => Err(ApiError::unsupported_media_type()),
        }
    }

    fn add_json(&mut self, bytes: &[u8]) -> Result<(), ApiError> {
        use serde_json::Value;
        let Ok(Value::Object(object)) = serde_json::from_slice(bytes) else {
            return Err(ApiError::bad_parameter("JSON body", Rule::NotAnObject));
        };
        for (name, value) in object {
            match value {
                Value::Null => {}
                Value::String(text) => self.add(name, text),
                Value::Number(number) => self.add(name, number.to_string()),
                Value::Bool(flag) => self.add(name, flag.to_string()),
                Value::Array(_) | Value::Object(_) => {
                    return Err(ApiError::bad_parameter(&name, Rule::TextOrNumber));
                }
            }
        }
        Ok(())
    }

    async fn add_multipart(&mut self, content_type: &str, bytes: Bytes) -> Result<(), ApiError> {
        let malformed =
            |_: multer::Error| ApiError::bad_parameter("multipart body", Rule::Malformed);
        let boundary = multer::parse_boundary(content_type).map_err(malformed)?;
        let once = futures::stream::once(async move { Ok::<_, std::convert::Infallible>(bytes) });
        let mut multipart = multer::Multipart::new(once, boundary);
        while let Some(field) = multipart.next_field().await.map_err(malformed)? {
            let Some(name) = field.name().map(str::to_owned) else {
                continue;
            };
            let text = field.bytes().await.map_err(malformed)?;
            let text = String::from_utf8(text.into())
                .map_err(|_| ApiError::bad_parameter(&name, Rule::NotUtf8))?;
            self.add(name, text);
        }
        Ok(())
    }
}

/// The media type without its parameters, in lower case.
pub fn essence(content_type: &str) -> String {
    content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

/// The declared length of the body, in bytes.
pub fn content_length(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}
