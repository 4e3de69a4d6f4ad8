//! Is the file whole? Decided from its outermost structure, read by ranges, so that a large file costs little.
//!
//! A file passes when the pieces it is made of fill it exactly: the boxes of an MP4 or QuickTime file, the elements of a WebM or Matroska file
//! down to its clusters. What is inside them is for ffprobe. Reads are bounded: each goes further than the last by at least its own length.

mod ebml;
mod mp4;
mod samples;

use std::future::Future;

use bytes::Bytes;

use super::{MediaError, Refusal};

/// Bytes asked for at once.
const WINDOW_BYTES: u64 = 256 << 10;
/// Boxes or elements in a file at most; a live recording has one for every picture and piece of sound.
const MAX_PIECES: u32 = 4_000_000;

/// A file that can be read anywhere.
pub trait ReadAt: Sync {
    /// The `length` bytes from `offset` on; fewer only at the end of the file.
    fn read_at(
        &self,
        offset: u64,
        length: u64,
    ) -> impl Future<Output = Result<Bytes, MediaError>> + Send;
}

/// Refuses a file of `size_bytes` that is cut short, damaged, or of an unknown format.
pub async fn complete(file: &impl ReadAt, size_bytes: u64) -> Result<(), MediaError> {
    let mut file = Window {
        file,
        size_bytes,
        start: 0,
        bytes: Bytes::new(),
        pieces: 0,
    };
    let head = file.at(0, 12).await?;
    if ebml::begins(head) {
        ebml::complete(&mut file).await
    } else if mp4::begins(head) {
        mp4::complete(&mut file).await
    } else {
        Err(Refusal::UnknownFormat.into())
    }
}

/// The part of the file that is looked at; moves forwards only.
struct Window<'a, F> {
    file: &'a F,
    size_bytes: u64,
    start: u64,
    bytes: Bytes,
    pieces: u32,
}

impl<F: ReadAt> Window<'_, F> {
    /// The beginning of the next piece: `length` bytes from `offset` on, fewer only at the end of the file.
    async fn at(&mut self, offset: u64, length: u64) -> Result<&[u8], MediaError> {
        self.pieces += 1;
        if self.pieces > MAX_PIECES {
            return Err(Refusal::TooBig.into());
        }
        let end = offset.saturating_add(length).min(self.size_bytes);
        if self.view(offset, end).is_none() {
            let length = WINDOW_BYTES.min(self.size_bytes.saturating_sub(offset));
            self.bytes = read_exactly(self.file, offset, length).await?;
            self.start = offset;
        }
        Ok(self.view(offset, end).unwrap_or_default())
    }

    fn view(&self, offset: u64, end: u64) -> Option<&[u8]> {
        let from = usize::try_from(offset.checked_sub(self.start)?).ok()?;
        let to = usize::try_from(end.checked_sub(self.start)?).ok()?;
        self.bytes.get(from..to)
    }

    /// Where a piece of `length` bytes from `offset` on ends, when the file reaches that far.
    fn end(&self, offset: u64, length: u64) -> Result<u64, Refusal> {
        offset
            .checked_add(length)
            .filter(|end| *end <= self.size_bytes)
            .ok_or(Refusal::CutShort)
    }
}

/// Fewer bytes than the store itself said there are is a fault of the store.
async fn read_exactly(file: &impl ReadAt, offset: u64, length: u64) -> Result<Bytes, MediaError> {
    let bytes = file.read_at(offset, length).await?;
    if bytes.len() as u64 == length {
        Ok(bytes)
    } else {
        Err(MediaError::Unavailable(format!(
            "gave {} bytes instead of {length}",
            bytes.len()
        )))
    }
}

#[cfg(test)]
mod tests;
