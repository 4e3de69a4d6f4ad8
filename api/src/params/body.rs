//! Reads parameters from a request body of at most 1 MiB: urlencoded form, JSON, protobuf, or the text parts of a multipart form. Uploads
//! are streamed elsewhere.

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use http::{HeaderMap, header};
use idl::proto::Message;
use multipart::Form;
use service::{BodyError, content_length};
use volo_http::body::Body;

use super::{
    budget::BodyBudget,
    json::{Object, Value},
    multipart::{limits, text},
    values::Params,
};
use crate::{
    error::ApiError,
    i18n::Rule,
    protobuf::{DecodeError, PROTOBUF, fields},
};

/// Largest form, JSON, protobuf or text-only multipart body, by the contract.
const MAX_BYTES: usize = 1 << 20;

/// The body as a stream that ends with its first error. The connection sees to it that it doesn't come too slowly.
pub fn chunks(body: Body) -> impl Stream<Item = Result<Bytes, ApiError>> + Send + 'static {
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

fn body_error(error: &(dyn std::error::Error + Send + Sync + 'static)) -> ApiError {
    match error.downcast_ref() {
        Some(BodyError::TooSlow) => ApiError::request_timeout(),
        // The connection broke, or the chunks were malformed.
        _ => ApiError::bad_parameter("body", Rule::BrokeOff),
    }
}

impl Params {
    /// Adds what the body holds, by its content type. Of a multipart body only the parts that `keeps` names; as protobuf
    /// what `message` has (none: the route takes none). Its memory is a share of `budget`.
    ///
    /// # Errors
    /// It is malformed, too large, of another type, or didn't come whole. Or the budget is used up.
    pub async fn add_body(
        &mut self,
        budget: &BodyBudget,
        headers: &HeaderMap,
        body: Body,
        keeps: fn(&str) -> bool,
        message: Option<&'static Message>,
    ) -> Result<(), ApiError> {
        let mut share = budget.share();
        let shared = chunks(body).map(|chunk| {
            let chunk = chunk?;
            share.add(chunk.len())?;
            Ok(chunk)
        });
        let mut stream = Box::pin(shared.peekable());
        if content_length(headers).is_some_and(|length| length > MAX_BYTES as u64) {
            return Err(ApiError::too_large());
        }
        // A client that sends nothing may call it what it likes.
        if stream.as_mut().peek().await.is_none() {
            return Ok(());
        }
        let declared = headers
            .get(header::CONTENT_TYPE)
            .map(|value| value.to_str().unwrap_or("?"));
        match declared.map(essence).as_deref() {
            None | Some("application/x-www-form-urlencoded") => match whole(&mut stream).await {
                Ok(bytes) => self.add_urlencoded(&bytes, "form body"),
                Err(error) => Err(error),
            },
            Some("application/json") => match whole(&mut stream).await {
                Ok(bytes) => self.add_json(&bytes),
                Err(error) => Err(error),
            },
            Some(PROTOBUF) => match (message, whole(&mut stream).await) {
                (Some(message), Ok(bytes)) => self.add_protobuf(&bytes, message),
                (None, Ok(_)) => Err(ApiError::unsupported_media_type()),
                (_, Err(error)) => Err(error),
            },
            Some("multipart/form-data") => {
                let content_type = declared.unwrap_or_default();
                self.add_multipart(content_type, &mut stream, keeps).await
            }
            Some(_) => Err(ApiError::unsupported_media_type()),
        }
    }

    pub(super) fn add_json(&mut self, bytes: &[u8]) -> Result<(), ApiError> {
        let location = "JSON body";
        let Ok(Object(members)) = serde_json::from_slice(bytes) else {
            return Err(ApiError::bad_parameter(location, Rule::NotAnObject));
        };
        for (name, value) in members {
            self.count(location)?;
            match value {
                Value::Null => {}
                Value::Text(text) => self.add(name, text),
                Value::Nested => return Err(ApiError::bad_parameter(&name, Rule::TextOrNumber)),
            }
        }
        Ok(())
    }

    fn add_protobuf(&mut self, bytes: &[u8], message: &'static Message) -> Result<(), ApiError> {
        let location = "protobuf body";
        let fields = fields(bytes, message).map_err(|error| match error {
            DecodeError::Wire => ApiError::bad_parameter(location, Rule::Malformed),
            DecodeError::NotUtf8(name) => ApiError::bad_parameter(name, Rule::NotUtf8),
        })?;
        for (name, value) in fields {
            self.count(location)?;
            self.add(name, value);
        }
        Ok(())
    }

    async fn add_multipart<S>(
        &mut self,
        content_type: &str,
        chunks: S,
        keeps: fn(&str) -> bool,
    ) -> Result<(), ApiError>
    where
        S: Stream<Item = Result<Bytes, ApiError>> + Unpin,
    {
        let mut form = Form::new(content_type, chunks, keeps, limits(None))?;
        while let Some(part) = form.next_part().await? {
            let (name, value) = text(part).await?;
            self.add(name, value);
        }
        Ok(())
    }
}

/// The whole body.
async fn whole<S>(mut chunks: S) -> Result<Vec<u8>, ApiError>
where
    S: Stream<Item = Result<Bytes, ApiError>> + Unpin,
{
    let mut bytes = Vec::new();
    while let Some(chunk) = chunks.next().await {
        bytes.extend_from_slice(&chunk?);
        if bytes.len() > MAX_BYTES {
            return Err(ApiError::too_large());
        }
    }
    Ok(bytes)
}

/// The media type without its parameters, in lower case.
fn essence(content_type: &str) -> String {
    content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase()
}

/// The content type, if it is that of a multipart form.
pub fn multipart_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    (essence(value) == "multipart/form-data").then_some(value)
}
