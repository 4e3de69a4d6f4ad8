//! Checks that a WebM or Matroska file is complete: elements within elements (RFC 8794, RFC 9559).
//!
//! Descends into segments, and into clusters of unknown size as live recorders write them. Every other element is skipped by its size. So a
//! cut inside a cluster is found, even if the recorder couldn't go back to write sizes. A cut exactly between two blocks can't be found if the
//! segment and the cluster have no size: the result is a valid file.

use super::window::{ReadAt, Window};
use crate::media::error::{MediaError, Refusal};

const EBML: u32 = 0x1A45_DFA3;
const SEGMENT: u32 = 0x1853_8067;
const TRACKS: u32 = 0x1654_AE6B;
const CLUSTER: u32 = 0x1F43_B675;
/// Of an identifier (4) and a size (8).
const HEADER_BYTES: u64 = 12;

pub(super) fn matches_magic(head: &[u8]) -> bool {
    head.starts_with(&EBML.to_be_bytes())
}

/// An element's header.
struct Header {
    id: u32,
    /// Of the header itself.
    header_bytes: u64,
    /// Of the content; none: unknown.
    content_bytes: Option<u64>,
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        let (id, id_bytes) = number(bytes, 4)?;
        let rest = bytes.get(id_bytes..).ok_or(Refusal::CutShort)?;
        let (size, size_bytes) = number(rest, 8)?;
        // The marker of the length is part of an identifier, not of a size; a size of ones only is unknown.
        let mask = (1_u64 << (7 * size_bytes)) - 1;
        Ok(Self {
            id: u32::try_from(id).map_err(|_| Refusal::Damaged)?,
            header_bytes: (id_bytes + size_bytes) as u64,
            content_bytes: Some(size & mask).filter(|size| *size != mask),
        })
    }
}

/// Whether bytes that are too few for a header can't be the beginning of one of a film.
fn is_foreign(bytes: &[u8]) -> bool {
    !KNOWN_ELEMENTS.iter().any(|id| {
        let id = id.to_be_bytes();
        let id: Vec<u8> = id.into_iter().skip_while(|byte| *byte == 0).collect();
        id.starts_with(bytes) || bytes.starts_with(&id)
    })
}

/// A number whose leading zero bits tell its length, marker included, and that length.
fn number(bytes: &[u8], max_length: usize) -> Result<(u64, usize), Refusal> {
    let first = bytes.first().ok_or(Refusal::CutShort)?;
    let length = first.leading_zeros() as usize + 1;
    if length > max_length {
        return Err(Refusal::Damaged);
    }
    let number = bytes.get(..length).ok_or(Refusal::CutShort)?;
    let value = number
        .iter()
        .fold(0, |value, byte| value << 8 | u64::from(*byte));
    Ok((value, length))
}

/// Elements of a segment and of a cluster. What else stands behind the first cluster are bytes that somebody has appended.
const KNOWN_ELEMENTS: [u32; 17] = [
    EBML,
    SEGMENT,
    TRACKS,
    CLUSTER,
    0x1C53_BB6B,
    0x114D_9B74,
    0x1549_A966,
    0x1043_A770,
    0x1941_A469,
    0x1254_C367,
    0xEC,
    0xE7,
    0xA3,
    0xA0,
    0xAB,
    0xA7,
    0xBF,
];

pub(super) async fn complete<F: ReadAt>(file: &mut Window<'_, F>) -> Result<(), MediaError> {
    let mut offset = 0;
    let (mut has_tracks, mut has_clusters) = (false, false);
    while offset < file.size_bytes {
        let is_whole = has_tracks && has_clusters;
        let header = match Header::read(file.at(offset, HEADER_BYTES).await?) {
            Ok(header) if !is_whole || KNOWN_ELEMENTS.contains(&header.id) => header,
            // A header that is cut off is a film's, unless these are bytes of another kind.
            Err(Refusal::CutShort) if is_whole && !is_foreign(file.at(offset, 4).await?) => {
                return Err(Refusal::CutShort.into());
            }
            _ if is_whole => break,
            refused => refused?,
        };
        has_tracks |= header.id == TRACKS;
        has_clusters |= header.id == CLUSTER;
        let content = offset + header.header_bytes;
        offset = match (header.id, header.content_bytes) {
            (SEGMENT, Some(size)) => {
                file.end(content, size)?;
                content
            }
            (SEGMENT | CLUSTER, None) => content,
            (_, None) => return Err(Refusal::Damaged.into()),
            (_, Some(size)) => file.end(content, size)?,
        };
    }
    if has_tracks && has_clusters {
        Ok(())
    } else {
        Err(Refusal::CutShort.into())
    }
}
