//! MP4 and QuickTime: a row of boxes (ISO/IEC 14496-12, section 4.2).

use super::{MediaError, ReadAt, Refusal, Window, samples};

/// Types that a file begins with; old QuickTime files have no `ftyp`.
const FIRST: [&[u8; 4]; 8] = [
    b"ftyp", b"styp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot",
];

pub(super) fn begins(head: &[u8]) -> bool {
    head.get(4..8)
        .is_some_and(|kind| FIRST.iter().any(|first| kind == first.as_slice()))
}

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

pub(super) async fn complete<F: ReadAt>(file: &mut Window<'_, F>) -> Result<(), MediaError> {
    let mut offset = 0;
    let mut movie = None;
    let (mut has_media, mut open_ended) = (false, false);
    while offset < file.size_bytes {
        let header = Header::read(file.at(offset, 16).await?)?;
        let size = header.size_bytes.unwrap_or(file.size_bytes - offset);
        let end = file.end(offset, size)?;
        match &header.kind {
            b"moov" => movie = Some((offset, size)),
            b"mdat" => {
                has_media = true;
                open_ended |= header.size_bytes.is_none();
            }
            _ => {}
        }
        offset = end;
    }
    let (Some((offset, size)), true) = (movie, has_media) else {
        return Err(Refusal::CutShort.into());
    };
    if open_ended {
        // Such a box fills any file, so only the movie knows how far its samples should reach.
        samples::within(file.file, offset, size, file.size_bytes).await?;
    }
    Ok(())
}
