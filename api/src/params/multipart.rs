//! Reads `multipart/form-data` part by part, by `multer`: what a form may weigh, and what a broken one means to the client.
//!
//! Nothing is kept of a part but what its reader takes: a file of any size passes through.

use bytes::Bytes;
use futures::Stream;
use http::{HeaderMap, header};
use multer::{Constraints, Field, Multipart, SizeLimit};

use super::body::{BodyError, essence};
use crate::{error::ApiError, rules::Rule};

/// The part that is a file.
pub const FILE: &str = "data";
/// Room for the other parts and the boundaries, in bytes.
const FORM_BYTES: u64 = 1 << 20;
/// Largest text part, in bytes.
const TEXT_BYTES: u64 = 64 << 10;

/// Largest body of a form whose file has at most so many bytes.
pub fn largest_body(file_bytes: u64) -> u64 {
    file_bytes.saturating_add(FORM_BYTES)
}

/// The content type, if it is the one of such a form.
pub fn multipart_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    (essence(value) == "multipart/form-data").then_some(value)
}

/// The parts of a form whose file has at most `file_bytes`, in bytes.
///
/// # Errors
/// The content type names no boundary.
pub fn parts<S>(
    content_type: &str,
    chunks: S,
    file_bytes: u64,
) -> Result<Multipart<'static>, ApiError>
where
    S: Stream<Item = Result<Bytes, BodyError>> + Send + 'static,
{
    let boundary = multer::parse_boundary(content_type).map_err(form_error)?;
    let limit = SizeLimit::new()
        .whole_stream(largest_body(file_bytes))
        .per_field(TEXT_BYTES)
        .for_field(FILE, file_bytes);
    let constraints = Constraints::new().size_limit(limit);
    Ok(Multipart::with_constraints(chunks, boundary, constraints))
}

/// The next part; none at the end.
///
/// # Errors
/// The form is broken, too large or broke off.
pub async fn next_part(parts: &mut Multipart<'static>) -> Result<Option<Field<'static>>, ApiError> {
    parts.next_field().await.map_err(form_error)
}

/// A text part, whole.
///
/// # Errors
/// As [`next_part`], or it isn't UTF-8.
pub async fn text(name: &str, part: Field<'_>) -> Result<String, ApiError> {
    let bytes = part.bytes().await.map_err(form_error)?;
    String::from_utf8(bytes.into()).map_err(|_| ApiError::bad_parameter(name, Rule::NotUtf8))
}

/// What a broken form means to the client.
pub fn form_error(error: multer::Error) -> ApiError {
    match error {
        multer::Error::StreamSizeExceeded { .. } | multer::Error::FieldSizeExceeded { .. } => {
            ApiError::too_large()
        }
        multer::Error::StreamReadFailed(cause) => match cause.downcast::<BodyError>() {
            Ok(cause) => ApiError::from(*cause),
            Err(_) => ApiError::bad_parameter("multipart body", Rule::BrokeOff),
        },
        _ => ApiError::bad_parameter("multipart body", Rule::Malformed),
    }
}
