//! Reads the pieces of a file one after the other, in few requests and with a bound on their number.

use std::future::Future;

use bytes::Bytes;

use crate::media::error::{MediaError, Refusal};

/// Bytes asked for at once.
pub(super) const WINDOW_BYTES: u64 = 256 << 10;
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

/// The part of a file that is in memory; moves forwards only.
pub(super) struct Window<'a, F> {
    pub(super) file: &'a F,
    pub(super) size_bytes: u64,
    start: u64,
    bytes: Bytes,
    pieces: u32,
}

impl<'a, F: ReadAt> Window<'a, F> {
    /// At the start of the file.
    pub(super) fn new(file: &'a F, size_bytes: u64) -> Self {
        Self {
            file,
            size_bytes,
            start: 0,
            bytes: Bytes::new(),
            pieces: 0,
        }
    }

    /// The beginning of the next piece: `length` bytes from `offset` on, fewer only at the end of the file.
    pub(super) async fn at(&mut self, offset: u64, length: u64) -> Result<&[u8], MediaError> {
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
    pub(super) fn end(&self, offset: u64, length: u64) -> Result<u64, Refusal> {
        offset
            .checked_add(length)
            .filter(|end| *end <= self.size_bytes)
            .ok_or(Refusal::CutShort)
    }
}

/// Fewer bytes than the store itself said there are is a fault of the store.
pub(super) async fn read_exactly(
    file: &impl ReadAt,
    offset: u64,
    length: u64,
) -> Result<Bytes, MediaError> {
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
