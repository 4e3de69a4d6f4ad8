//! The parser (RFC 2046, section 5.1): bytes in, events out, no I/O.
//!
//! Invariants: each byte is looked at a fixed number of times, however the body is cut into chunks. The reader keeps one chunk and the
//! header block of one part; content is a slice of the chunk. All bytes that aren't the file's are counted, wherever they stand.

use bytes::{Buf as _, Bytes};
use memchr::{memmem::Finder, memrchr};

use crate::header::{Malformed, part_name};

/// Limits of a form's size.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// The name of the part that is a file, and its largest size in bytes. None: this form has no file.
    pub file: Option<(&'static str, u64)>,
    /// Of everything else: other parts, headers, boundaries, what stands before and behind the parts.
    pub other_bytes: u64,
    /// Of a part's header block.
    pub header_bytes: usize,
    /// Number of parts.
    pub parts: usize,
}

/// Why a form can't be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// A boundary or a header can't be read.
    #[error("malformed")]
    Malformed,
    /// The body ended before the form did.
    #[error("broke off")]
    BrokeOff,
    /// More bytes than a limit allows.
    #[error("too large")]
    TooLarge,
    /// More parts than the limit allows.
    #[error("more than {0} parts")]
    TooManyParts(usize),
}

impl From<Malformed> for FormError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// What the reader finds next.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// A part of this name begins.
    Part(Option<String>),
    /// Some of its content.
    Content(Bytes),
    /// The part is over.
    PartEnd,
}

/// Where the next byte is in the form.
#[derive(Debug, Clone, Copy)]
enum State {
    Preamble,
    /// Behind a boundary: what of its line was seen.
    Line(Line),
    Header,
    Part {
        is_file: bool,
    },
    Epilogue,
}

/// The rest of a boundary's line: two hyphens, or white space and CRLF.
#[derive(Debug, Clone, Copy)]
enum Line {
    Begins,
    Hyphen,
    Padding,
    Cr,
}

/// What was found in a part's content.
enum Found {
    Content(Bytes),
    /// Of so many bytes that belong to nothing else.
    Delimiter(usize),
    /// All was looked at.
    Nothing,
}

const CRLF: &[u8] = b"\r\n";
const EMPTY_LINE: &[u8] = b"\r\n\r\n";

/// Reads one form.
#[derive(Debug)]
pub struct Reader {
    limits: Limits,
    /// CRLF, two hyphens and the boundary. It has one CR: where a match breaks off, the next can't begin before that place.
    delimiter: Bytes,
    finder: Finder<'static>,
    state: State,
    chunk: Bytes,
    /// How much of the delimiter ended the bytes before `chunk`.
    matched: usize,
    /// How much of that is no content: the CRLF of the line before, or that of the body's beginning, which isn't there.
    implied: usize,
    header: Vec<u8>,
    file_bytes: u64,
    other_bytes: u64,
    parts: usize,
}

impl Reader {
    /// The boundary has no CR.
    pub fn new(boundary: &[u8], limits: Limits) -> Self {
        let delimiter = Bytes::from([b"\r\n--", boundary].concat());
        Self {
            limits,
            finder: Finder::new(&delimiter).into_owned(),
            delimiter,
            state: State::Preamble,
            chunk: Bytes::new(),
            matched: CRLF.len(),
            implied: CRLF.len(),
            header: Vec::new(),
            file_bytes: 0,
            other_bytes: 0,
            parts: 0,
        }
    }

    /// Whether the part of this name is the file.
    pub fn is_file(&self, name: &str) -> bool {
        self.limits.file.is_some_and(|(file, _)| file == name)
    }

    /// Takes the next chunk of the body; the one before must have been read to its end.
    pub fn push(&mut self, chunk: Bytes) {
        debug_assert!(self.chunk.is_empty());
        self.chunk = chunk;
    }

    /// Whether the body may end here.
    ///
    /// # Errors
    /// It may not.
    pub fn end(&self) -> Result<(), FormError> {
        match self.state {
            State::Epilogue => Ok(()),
            _ => Err(FormError::BrokeOff),
        }
    }

    /// What comes next; none until another chunk comes.
    ///
    /// # Errors
    /// The form is malformed or breaks a limit.
    pub fn next_event(&mut self) -> Result<Option<Event>, FormError> {
        loop {
            match self.state {
                State::Preamble => match self.find() {
                    Found::Content(text) => self.count(text.len())?,
                    Found::Delimiter(bytes) => self.begin_line(bytes)?,
                    Found::Nothing => return Ok(None),
                },
                State::Part { is_file } => match self.find() {
                    Found::Content(content) => {
                        if is_file {
                            self.count_file(content.len())?;
                        } else {
                            self.count(content.len())?;
                        }
                        return Ok(Some(Event::Content(content)));
                    }
                    Found::Delimiter(bytes) => {
                        self.begin_line(bytes)?;
                        return Ok(Some(Event::PartEnd));
                    }
                    Found::Nothing => return Ok(None),
                },
                State::Line(line) => {
                    let Some(byte) = self.byte()? else {
                        return Ok(None);
                    };
                    self.state = self.behind_boundary(line, byte)?;
                }
                State::Header => {
                    let Some(byte) = self.byte()? else {
                        return Ok(None);
                    };
                    if let Some(event) = self.header_byte(byte)? {
                        return Ok(Some(event));
                    }
                }
                State::Epilogue => {
                    let bytes = self.chunk.len();
                    self.chunk.clear();
                    self.count(bytes)?;
                    return Ok(None);
                }
            }
        }
    }

    fn begin_line(&mut self, bytes: usize) -> Result<(), FormError> {
        self.state = State::Line(Line::Begins);
        self.count(bytes)
    }

    /// Where the byte after `line` leads.
    fn behind_boundary(&mut self, line: Line, byte: u8) -> Result<State, FormError> {
        match (line, byte) {
            (Line::Begins, b'-') => Ok(State::Line(Line::Hyphen)),
            (Line::Hyphen, b'-') => Ok(State::Epilogue),
            (Line::Begins | Line::Padding, b' ' | b'\t') => Ok(State::Line(Line::Padding)),
            (Line::Begins | Line::Padding, b'\r') => Ok(State::Line(Line::Cr)),
            (Line::Cr, b'\n') if self.parts == self.limits.parts => {
                Err(FormError::TooManyParts(self.limits.parts))
            }
            (Line::Cr, b'\n') => {
                self.parts += 1;
                // With the end of the line before, so that an empty block ends like any other.
                self.header.clear();
                self.header.extend_from_slice(CRLF);
                Ok(State::Header)
            }
            _ => Err(FormError::Malformed),
        }
    }

    /// One more byte of a header block; with the last the part begins.
    fn header_byte(&mut self, byte: u8) -> Result<Option<Event>, FormError> {
        self.header.push(byte);
        if self.header.len() - CRLF.len() > self.limits.header_bytes {
            return Err(FormError::TooLarge);
        }
        if !self.header.ends_with(EMPTY_LINE) {
            return Ok(None);
        }
        let end = self.header.len() - EMPTY_LINE.len();
        let name = part_name(self.header.get(CRLF.len()..end).unwrap_or_default())?;
        let is_file = name.as_deref().is_some_and(|name| self.is_file(name));
        self.state = State::Part { is_file };
        // A part without content may end here: then the line's end is the delimiter's.
        self.matched = CRLF.len();
        self.implied = CRLF.len();
        Ok(Some(Event::Part(name)))
    }

    /// The next byte, counted.
    fn byte(&mut self) -> Result<Option<u8>, FormError> {
        if self.chunk.is_empty() {
            return Ok(None);
        }
        let byte = self.chunk.get_u8();
        self.count(1)?;
        Ok(Some(byte))
    }

    fn count(&mut self, bytes: usize) -> Result<(), FormError> {
        self.other_bytes = self.other_bytes.saturating_add(bytes as u64);
        match self.other_bytes > self.limits.other_bytes {
            true => Err(FormError::TooLarge),
            false => Ok(()),
        }
    }

    fn count_file(&mut self, bytes: usize) -> Result<(), FormError> {
        self.file_bytes = self.file_bytes.saturating_add(bytes as u64);
        match self.limits.file {
            Some((_, limit)) if self.file_bytes > limit => Err(FormError::TooLarge),
            _ => Ok(()),
        }
    }

    /// Content up to the delimiter, or the delimiter. What may be the delimiter's beginning is held back until more is known.
    fn find(&mut self) -> Found {
        if self.matched > 0
            && let Some(found) = self.find_rest()
        {
            return found;
        }
        if let Some(at) = self.finder.find(&self.chunk) {
            if at > 0 {
                return Found::Content(self.chunk.split_to(at));
            }
            self.chunk.advance(self.delimiter.len());
            return Found::Delimiter(self.delimiter.len());
        }
        // The only CR that a delimiter could begin with, should it go on in the next chunk.
        let begins = memrchr(b'\r', &self.chunk).filter(|at| {
            let tail = self.chunk.get(*at..);
            tail.is_some_and(|tail| self.delimiter.starts_with(tail))
        });
        let held = self.chunk.split_off(begins.unwrap_or(self.chunk.len()));
        self.matched = held.len();
        match std::mem::take(&mut self.chunk) {
            content if content.is_empty() => Found::Nothing,
            content => Found::Content(content),
        }
    }

    /// Goes on with a delimiter that began in the chunk before; none when it was no delimiter and none of it is content.
    fn find_rest(&mut self) -> Option<Found> {
        let rest = self.delimiter.get(self.matched..).unwrap_or_default();
        let pairs = rest.iter().zip(&self.chunk);
        let common = pairs.take_while(|(one, other)| one == other).count();
        if common < rest.len() && common == self.chunk.len() {
            self.matched += common;
            self.chunk.clear();
            return Some(Found::Nothing);
        }
        let matched = std::mem::take(&mut self.matched);
        let implied = std::mem::take(&mut self.implied);
        if common == rest.len() {
            self.chunk.advance(common);
            return Some(Found::Delimiter(self.delimiter.len() - implied));
        }
        let content = self.delimiter.slice(implied..matched);
        (!content.is_empty()).then_some(Found::Content(content))
    }
}
