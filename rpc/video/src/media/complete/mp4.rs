//! Checks that an MP4 or QuickTime file is complete: a row of boxes (ISO/IEC 14496-12, section 4.2).

use super::{
    mp4_box::Header,
    samples,
    window::{ReadAt, Window},
};
use crate::media::error::{MediaError, Refusal};

/// Types that a file begins with; old QuickTime files have no `ftyp`.
const FIRST_BOXES: [&[u8; 4]; 8] = [
    b"ftyp", b"styp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot",
];

pub(super) fn matches_magic(head: &[u8]) -> bool {
    head.get(4..8)
        .is_some_and(|kind| FIRST_BOXES.iter().any(|first| kind == first.as_slice()))
}

/// Brands of photos, still or moving (ISO/IEC 23008-12, AVIF).
const PHOTO_BRANDS: [&[u8; 4]; 10] = [
    b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"avif", b"avis",
];
/// Boxes that belong to a film. What else stands behind a whole film are bytes that somebody has appended.
const KNOWN_BOXES: [&[u8; 4]; 16] = [
    b"ftyp", b"styp", b"moov", b"mdat", b"moof", b"mfra", b"sidx", b"ssix", b"emsg", b"prft",
    b"meta", b"uuid", b"free", b"skip", b"wide", b"pnot",
];

/// Whether the file begins as a photo does.
pub(super) fn is_photo(head: &[u8]) -> bool {
    let brand = head.get(8..12);
    head.get(4..8) == Some(b"ftyp")
        && brand.is_some_and(|brand| PHOTO_BRANDS.iter().any(|photo| brand == photo.as_slice()))
}

pub(super) async fn complete<F: ReadAt>(file: &mut Window<'_, F>) -> Result<(), MediaError> {
    let mut offset = 0;
    let mut movie = None;
    let mut has_media = false;
    while offset < file.size_bytes {
        let is_whole = movie.is_some() && has_media;
        let header = Header::read(file.at(offset, 16).await?);
        let is_known = |header: &Header| KNOWN_BOXES.iter().any(|kind| header.kind == **kind);
        let header = match header {
            Ok(header) if !is_whole || is_known(&header) => header,
            _ if is_whole => break,
            refused => refused?,
        };
        let size = header.size_bytes.unwrap_or(file.size_bytes - offset);
        let end = file.end(offset, size)?;
        match &header.kind {
            b"moov" => movie = Some((offset, size)),
            b"mdat" => has_media = true,
            _ => {}
        }
        offset = end;
    }
    let (Some((offset, size)), true) = (movie, has_media) else {
        return Err(Refusal::CutShort.into());
    };
    // The sizes of boxes may lie: only the movie knows how far its samples should reach.
    samples::within(file.file, offset, size, file.size_bytes).await
}
