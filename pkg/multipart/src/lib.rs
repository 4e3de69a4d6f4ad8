//! Reads `multipart/form-data` (RFC 7578) part by part.
//!
//! A parser of our own, because what a stranger sends must cost a fixed amount of memory, and of time a byte: `multer` buffers headers
//! without bound and searches them again for each chunk. A part's reader decides what is kept of it: a file of any size passes through.

mod form;
mod header;
mod reader;

pub use form::{Form, Part};
pub use header::{Malformed, boundary, disposition_name, part_name};
pub use reader::{Event, FormError, Limits, Reader};

#[cfg(test)]
mod tests;
