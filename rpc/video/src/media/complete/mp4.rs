//! Checks that an MP4 or QuickTime file is complete: a row of boxes (ISO/IEC 14496-12, section 4.2).

use super::{
    mp4_box::Header,
    samples,
    window::{ReadAt, Window},
};
use crate::media::error::{MediaError, Refusal};

/// Types that a file begins with; old QuickTime files have no `ftyp`.
const FIRST: [&[u8; 4]; 8] = [
    b"ftyp", b"styp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot",
];

pub(super) fn begins(head: &[u8]) -> bool {
    head.get(4..8)
        .is_some_and(|kind| FIRST.iter().any(|first| kind == first.as_slice()))
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
