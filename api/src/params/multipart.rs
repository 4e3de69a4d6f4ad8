//! Multipart bodies of the contract: how large a form may be, and how a broken one is refused. The package `multipart` parses them.

use bytes::Bytes;
use futures::Stream;
use idl::base::Code;
use multipart::{FormError, Limits, Part};

use crate::{error::ApiError, i18n::Rule};

/// The part that is a file.
pub const FILE: &str = "data";
/// Everything else in a form, in bytes.
const MAX_OTHER_BYTES: u64 = 1 << 20;
/// Largest text part, in bytes: four times the longest text that a parameter may have. Strangers may have some of these in memory on every
/// connection.
const MAX_TEXT_BYTES: usize = 8 << 10;
/// Longest header block of a part, in bytes.
const MAX_HEADER_BYTES: usize = 16 << 10;
/// Parts of a form.
const MAX_PARTS: usize = 32;

/// The limits of a form with a file of at most so many bytes, or without one.
pub fn limits(max_file_bytes: Option<u64>) -> Limits {
    Limits {
        file: max_file_bytes.map(|bytes| (FILE, bytes)),
        other_bytes: MAX_OTHER_BYTES,
        header_bytes: MAX_HEADER_BYTES,
        parts: MAX_PARTS,
    }
}

/// Largest body of a form whose file has at most so many bytes.
pub fn max_body_bytes(max_file_bytes: u64) -> u64 {
    max_file_bytes.saturating_add(MAX_OTHER_BYTES)
}

/// The name of a part and its content as text. A line break is one character: browsers send it as CRLF ([HTML, Multipart form data][html]).
///
/// [html]: https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data
///
/// # Errors
/// The form is broken, or the text is too long or isn't UTF-8.
pub async fn text<S>(part: Part<'_, S>) -> Result<(String, String), ApiError>
where
    S: Stream<Item = Result<Bytes, ApiError>> + Unpin,
{
    let name = part.name.clone();
    let too_long = || ApiError::bad_parameter(&name, Rule::TooManyBytes(MAX_TEXT_BYTES));
    let bytes = part
        .bytes(MAX_TEXT_BYTES)
        .await
        .map_err(|error| match error.code() {
            Code::TOO_LARGE => too_long(),
            _ => error,
        })?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok((name, text.replace("\r\n", "\n"))),
        Err(_) => Err(ApiError::bad_parameter(&name, Rule::NotUtf8)),
    }
}

impl From<FormError> for ApiError {
    fn from(error: FormError) -> Self {
        let rule = match error {
            FormError::TooLarge => return Self::too_large(),
            FormError::Malformed => Rule::Malformed,
            FormError::BrokeOff => Rule::BrokeOff,
            FormError::TooManyParts(limit) => Rule::TooManyParts(limit),
        };
        Self::bad_parameter("multipart body", rule)
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use multipart::Form;

    use super::*;

    /// What becomes of this body with the boundary `b`, of a form without a file.
    async fn refused(body: &str) -> ApiError {
        let chunks = stream::iter([Ok(Bytes::from(body.to_owned()))]);
        let content_type = "multipart/form-data; boundary=b";
        let mut form = Form::new(content_type, chunks, |_| true, limits(None)).unwrap();
        loop {
            match form.next_part().await {
                Ok(Some(part)) => match text(part).await {
                    Ok(_) => {}
                    Err(error) => return error,
                },
                Ok(None) => panic!("{body}"),
                Err(error) => return error,
            }
        }
    }

    #[tokio::test]
    async fn a_line_break_is_one_character() {
        let part = "--b\r\ncontent-disposition: form-data; name=title\r\n\r\n";
        let body = format!("{part}one\r\ntwo\nthree\r\n--b--");
        let chunks = stream::iter([Ok(Bytes::from(body))]);
        let content_type = "multipart/form-data; boundary=b";
        let mut form = Form::new(content_type, chunks, |_| true, limits(None)).unwrap();
        let title = text(form.next_part().await.unwrap().unwrap()).await;
        assert_eq!(title.unwrap().1, "one\ntwo\nthree");
    }

    #[tokio::test]
    async fn a_broken_form_is_refused_for_its_reason() {
        let part = "--b\r\ncontent-disposition: form-data; name=title\r\n\r\n";
        for (body, message) in [
            ("nonsense".to_owned(), "malformed or broke off"),
            (format!("{part}x"), "malformed or broke off"),
            ("--b\r\nnonsense\r\n\r\n".to_owned(), "is malformed"),
            (format!("{part}x\r\n").repeat(33), "has more than 32 parts"),
        ] {
            let error = refused(&body).await;
            assert_eq!(error.http_status(), 200);
            let text = error.to_string();
            assert!(text.contains("multipart body"), "{text}");
            assert!(text.contains(message), "{message}: {text}");
        }
        let long = "x".repeat(MAX_TEXT_BYTES + 1);
        let error = refused(&format!("{part}{long}\r\n--b--")).await;
        assert_eq!(error.http_status(), 200);
        assert_eq!(error.to_string(), "10001: title: has more than 8192 bytes");
    }
}
