//! Checks that an MP4 file reaches to the last samples that its index names, which the sizes of its boxes may hide, and that no track is
//! encrypted.

use super::{
    mp4_box::Header,
    window::{ReadAt, read_exactly},
};
use crate::media::error::{MediaError, Refusal};

/// The movie box of an hour of video has about 2 MB.
const MAX_MOVIE_BYTES: u64 = 32 << 20;

/// Refuses a file of `file_bytes` whose movie box, at `offset`, places a track's last samples beyond its end.
pub(super) async fn within(
    file: &impl ReadAt,
    offset: u64,
    size: u64,
    file_bytes: u64,
) -> Result<(), MediaError> {
    if size > MAX_MOVIE_BYTES {
        return Err(Refusal::TooBig.into());
    }
    let bytes = read_exactly(file, offset, size).await?;
    for movie in boxes(&bytes, b"moov") {
        for track in boxes(movie, b"trak") {
            let table = ["mdia", "minf", "stbl"]
                .iter()
                .try_fold(track, |within, kind| boxes(within, kind.as_bytes()).next());
            if table.is_some_and(is_encrypted) {
                return Err(Refusal::Encrypted.into());
            }
            let end = table.map_or(Some(0), samples_end).ok_or(Refusal::Damaged)?;
            if end > file_bytes {
                return Err(Refusal::CutShort.into());
            }
        }
    }
    Ok(())
}

/// Whether a sample table's first description says that its samples are encrypted (ISO/IEC 23001-7).
fn is_encrypted(table: &[u8]) -> bool {
    let description = boxes(table, b"stsd").next();
    let kind = description.and_then(|entries| entries.get(12..16));
    matches!(kind, Some(b"encv" | b"enca" | b"drmi" | b"drms"))
}

/// Contents of the boxes of one kind; ends at the first that doesn't fit.
fn boxes<'a>(mut bytes: &'a [u8], kind: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
    std::iter::from_fn(move || {
        let header = Header::read(bytes).ok()?;
        let size = header.size_bytes.unwrap_or(bytes.len() as u64);
        let (this, rest) = bytes.split_at_checked(usize::try_from(size).ok()?)?;
        bytes = rest;
        Some((header.kind, this.get(header.header_bytes as usize..)?))
    })
    .filter(move |(found, _)| found == kind)
    .map(|(_, content)| content)
}

/// Where the last chunk of a track's sample table ends; 0 for an empty one, none for one that can't be read.
fn samples_end(table: &[u8]) -> Option<u64> {
    let find = |kind: &'static [u8; 4]| boxes(table, kind).next();
    let last_chunk = match (find(b"stco"), find(b"co64")) {
        (Some(offsets), _) => last(offsets, 8, 4).map(|entry| word(entry, 0).map(u64::from)),
        (None, Some(offsets)) => last(offsets, 8, 8).map(|entry| {
            entry
                .first_chunk()
                .map(|offset| u64::from_be_bytes(*offset))
        }),
        (None, None) => return Some(0),
    };
    let Some(last_chunk) = last_chunk else {
        return Some(0);
    };
    let samples_in_it = word(last(find(b"stsc")?, 8, 12)?, 4)?;
    let bytes = find(b"stsz").map_or(Some(0), |sizes| last_samples(sizes, samples_in_it))?;
    last_chunk?.checked_add(bytes)
}

/// Size of the last `samples` of a track.
fn last_samples(sizes: &[u8], samples: u32) -> Option<u64> {
    match word(sizes, 4)? {
        0 => {
            let count = word(sizes, 8)?;
            let entry = |index: u32| word(sizes.get(12..)?, usize::try_from(index).ok()? * 4);
            (count.saturating_sub(samples)..count)
                .map(|index| entry(index).map(u64::from))
                .sum()
        }
        each => Some(u64::from(each) * u64::from(samples)),
    }
}

/// The last entry of a table whose entries follow `header` bytes, which end with their count.
fn last(table: &[u8], header: usize, entry_bytes: usize) -> Option<&[u8]> {
    let count = usize::try_from(word(table, header.checked_sub(4)?)?).ok()?;
    let at = count.checked_sub(1)?.checked_mul(entry_bytes)?;
    table.get(header..)?.get(at..)?.get(..entry_bytes)
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..)?
        .first_chunk()
        .map(|word| u32::from_be_bytes(*word))
}
