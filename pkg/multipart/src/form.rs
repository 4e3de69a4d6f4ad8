//! A form as a sequence of parts, each of which is read, streamed or skipped.

use bytes::Bytes;
use futures::{Stream, StreamExt as _};

use crate::{
    header::boundary,
    reader::{Event, FormError, Limits, Reader},
};

/// A form that is being received, from a stream of the body's chunks.
pub struct Form<S> {
    chunks: S,
    reader: Reader,
    keeps: fn(&str) -> bool,
}

impl<S, E> Form<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: From<FormError>,
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
    ) -> Result<Self, FormError> {
        let boundary = boundary(content_type)?;
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
    pub async fn next_part(&mut self) -> Result<Option<Part<'_, S>>, E> {
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
        self.reader.is_file(name) || (self.keeps)(name)
    }

    /// What comes next; none at the end of the body.
    async fn next(&mut self) -> Result<Option<Event>, E> {
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

impl<'a, S, E> Part<'a, S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin + 'a,
    E: From<FormError>,
{
    /// The next bytes of its content; none at its end.
    ///
    /// # Errors
    /// As [`Form::next_part`].
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, E> {
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
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, E>> + use<'a, S, E> {
        futures::stream::unfold(self, |mut part| async move {
            let chunk = part.chunk().await.transpose()?;
            Some((chunk, part))
        })
    }

    /// Its content, whole.
    ///
    /// # Errors
    /// As [`Form::next_part`], or it has more than `max_bytes`.
    pub async fn bytes(mut self, max_bytes: usize) -> Result<Vec<u8>, E> {
        let mut content = Vec::new();
        while let Some(chunk) = self.chunk().await? {
            if content.len() + chunk.len() > max_bytes {
                return Err(FormError::TooLarge.into());
            }
            content.extend_from_slice(&chunk);
        }
        Ok(content)
    }
}
