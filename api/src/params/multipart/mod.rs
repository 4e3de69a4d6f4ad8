//! Reads `multipart/form-data` part by part: what a form may weigh, and what a broken one means to the client.
//!
//! A parser of ours, because what a stranger sends must cost a fixed amount of memory and of time a byte: `multer` buffers headers without
//! bound and looks at them again for each chunk, and a guard in front of it would have to find the same boundaries, headers and names once
//! more. Nothing is kept of a part but what its reader takes: a file of any size passes through.

mod header;
mod reader;

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use http::{HeaderMap, header::CONTENT_TYPE};

use super::body::{BodyError, essence};
use crate::{error::ApiError, i18n::Rule};
pub use header::{Malformed, boundary, disposition_name, part_name};
pub use reader::{Event, FormError, Limits, Reader};

/// The part that is a file.
pub const FILE: &str = "data";
/// Room for everything else in a form, in bytes.
const OTHER_BYTES: u64 = 1 << 20;
/// Largest text part, in bytes.
const TEXT_BYTES: usize = 64 << 10;
/// Longest header block of a part, in bytes.
const HEADER_BYTES: usize = 16 << 10;
/// Parts of a form, at most.
const MAX_PARTS: usize = 32;

/// What a form may weigh, with a file of at most so many bytes or without one.
pub fn limits(file_bytes: Option<u64>) -> Limits {
    Limits {
        file_bytes,
        other_bytes: OTHER_BYTES,
        header_bytes: HEADER_BYTES,
        parts: MAX_PARTS,
    }
}

/// Largest body of a form whose file has at most so many bytes.
pub fn largest_body(file_bytes: u64) -> u64 {
    file_bytes.saturating_add(OTHER_BYTES)
}

/// The content type, if it is the one of such a form.
pub fn multipart_type(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    (essence(value) == "multipart/form-data").then_some(value)
}

/// A form that is being received.
pub struct Form<S> {
    chunks: S,
    reader: Reader,
    keeps: fn(&str) -> bool,
}

impl<S> Form<S>
where
    S: Stream<Item = Result<Bytes, BodyError>> + Unpin,
{
    /// A form of the text parts that `keeps` names, and perhaps a file; any other part is skipped.
    ///
    /// # Errors
    /// The content type names no boundary.
    pub fn new(
        content_type: &str,
        chunks: S,
        keeps: fn(&str) -> bool,
        limits: Limits,
    ) -> Result<Self, ApiError> {
        let boundary = boundary(content_type).map_err(FormError::from)?;
        Ok(Self {
            chunks,
            reader: Reader::new(&boundary, limits),
            keeps,
        })
    }

    /// The next part that has a name of this form; what is left of the one before is skipped. None when the body has ended.
    ///
    /// # Errors
    /// The form is broken, too large or broke off.
    pub async fn next_part(&mut self) -> Result<Option<Part<'_, S>>, ApiError> {
        loop {
            match self.next().await? {
                Some(Event::Part(Some(name))) if self.is_kept(&name) => {
                    return Ok(Some(Part {
                        name,
                        form: self,
                        is_open: true,
                    }));
                }
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }

    fn is_kept(&self, name: &str) -> bool {
        name == FILE && self.reader.has_file() || (self.keeps)(name)
    }

    /// What comes next; none at the end of the body.
    async fn next(&mut self) -> Result<Option<Event>, ApiError> {
        loop {
            if let Some(event) = self.reader.next_event()? {
                return Ok(Some(event));
            }
            match self.chunks.next().await {
                Some(chunk) => self.reader.push(chunk?),
                None => {
                    self.reader.end()?;
                    return Ok(None);
                }
            }
        }
    }
}

/// A part of a form.
pub struct Part<'a, S> {
    /// As the form has it.
    pub name: String,
    form: &'a mut Form<S>,
    is_open: bool,
}

impl<'a, S> Part<'a, S>
where
    S: Stream<Item = Result<Bytes, BodyError>> + Unpin + 'a,
{
    /// The next bytes of its content; none at its end.
    ///
    /// # Errors
    /// As [`Form::next_part`].
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, ApiError> {
        if !self.is_open {
            return Ok(None);
        }
        match self.form.next().await {
            Ok(Some(Event::Content(bytes))) => Ok(Some(bytes)),
            other => {
                self.is_open = false;
                other.map(|_| None)
            }
        }
    }

    /// Its content as it comes.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, ApiError>> + use<'a, S> {
        futures::stream::unfold(self, |mut part| async move {
            let chunk = part.chunk().await.transpose()?;
            Some((chunk, part))
        })
    }

    /// Its content as text, whole.
    ///
    /// # Errors
    /// As [`Form::next_part`], or it is too long or isn't UTF-8.
    pub async fn text(mut self) -> Result<String, ApiError> {
        let mut text = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if text.len() + chunk.len() > TEXT_BYTES {
                return Err(ApiError::too_large());
            }
            text.extend_from_slice(&chunk);
        }
        String::from_utf8(text).map_err(|_| ApiError::bad_parameter(&self.name, Rule::NotUtf8))
    }
}

impl From<FormError> for ApiError {
    /// What a broken form means to the client.
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
mod tests;
