//! Checks that a file is complete, by its outermost structure alone, read in ranges: a large file costs little.
//!
//! A file passes if its structure fits: the boxes of an MP4 or QuickTime file with the samples in its index, or the elements of a WebM or
//! Matroska file down to its clusters. Bytes appended to a complete file are accepted. ffprobe checks the rest. Reads only go forwards, so
//! their number is bounded.

mod ebml;
mod mp4;
mod mp4_box;
mod samples;
mod window;

use super::error::{MediaError, Refusal};
use window::Window;

pub use window::ReadAt;

/// Refuses a file of `size_bytes` that is cut short, damaged, or of an unknown format.
pub async fn complete(file: &impl ReadAt, size_bytes: u64) -> Result<(), MediaError> {
    let mut file = Window::new(file, size_bytes);
    let head = file.at(0, 12).await?;
    if mp4::is_photo(head) {
        Err(Refusal::Photo.into())
    } else if ebml::matches_magic(head) {
        ebml::complete(&mut file).await
    } else if mp4::matches_magic(head) {
        mp4::complete(&mut file).await
    } else {
        Err(Refusal::UnknownFormat.into())
    }
}

#[cfg(test)]
mod tests;
