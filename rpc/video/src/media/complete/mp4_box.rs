//! The header of a box, of which MP4 and QuickTime files are made (ISO/IEC 14496-12, section 4.2).

use crate::media::error::Refusal;

/// A box's header.
pub(super) struct Header {
    pub(super) kind: [u8; 4],
    /// Of the header itself.
    pub(super) header_bytes: u64,
    /// Of header and content; none: to the end of what holds the box.
    pub(super) size_bytes: Option<u64>,
}

impl Header {
    /// Reads it from the (up to 16) bytes that a box begins with.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        let (size, rest) = bytes.split_first_chunk().ok_or(Refusal::CutShort)?;
        let (kind, rest) = rest.split_first_chunk().ok_or(Refusal::CutShort)?;
        let (header_bytes, size_bytes) = match u32::from_be_bytes(*size) {
            0 => (8, None),
            1 => {
                let large = rest.first_chunk().ok_or(Refusal::CutShort)?;
                (16, Some(u64::from_be_bytes(*large)))
            }
            size => (8, Some(u64::from(size))),
        };
        if size_bytes.is_some_and(|size| size < header_bytes) {
            return Err(Refusal::Damaged);
        }
        Ok(Self {
            kind: *kind,
            header_bytes,
            size_bytes,
        })
    }
}
