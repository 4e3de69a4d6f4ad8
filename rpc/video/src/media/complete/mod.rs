//! Is the file whole? Decided from its outermost structure, read by ranges, so that a large file costs little.
//!
//! A file passes when the pieces it is made of fill it exactly: the boxes of an MP4 or QuickTime file, the elements of a WebM or Matroska file
//! down to its clusters. What is inside them is for ffprobe. Reads are bounded: each goes further than the last by at least its own length.

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
    if ebml::begins(head) {
        ebml::complete(&mut file).await
    } else if mp4::begins(head) {
        mp4::complete(&mut file).await
    } else {
        Err(Refusal::UnknownFormat.into())
    }
}

#[cfg(test)]
mod tests;
