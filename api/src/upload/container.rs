//! Recognises the container format by a file's first bytes.
//!
//! It gives the stored object its content type, and refuses what can't be a video before anything is stored. The video service checks
//! the whole file.

use idl::video::Container;

use crate::error::ApiError;

/// The EBML magic that webm and Matroska begin with (RFC 8794, section 11.2.1).
const EBML: [u8; 4] = [0x1a, 0x45, 0xdf, 0xa3];
/// The document type must stand within so many bytes; an EBML header has about 40.
const EBML_HEADER_BYTES: usize = 128;

/// The format of a file that begins with these bytes.
///
/// # Errors
/// It is none of the known formats.
pub fn of(first: &[u8]) -> Result<Container, ApiError> {
    if first.starts_with(&EBML) {
        let header = first
            .get(..EBML_HEADER_BYTES.min(first.len()))
            .unwrap_or_default();
        let is_webm = header.windows(4).any(|window| window == b"webm");
        return Ok(if is_webm {
            Container::WEBM
        } else {
            Container::MATROSKA
        });
    }
    // ISO/IEC 14496-12: a box is its size, its type, its content.
    match (first.get(4..8), first.get(8..12)) {
        (Some(b"ftyp"), Some(b"qt  ")) => Ok(Container::QUICKTIME),
        (Some(b"ftyp"), Some(_)) => Ok(Container::MP4),
        // QuickTime files from before `ftyp` was invented.
        (Some(b"moov" | b"mdat" | b"wide" | b"free" | b"skip"), _) => Ok(Container::QUICKTIME),
        _ => Err(ApiError::unknown_format("data")),
    }
}

/// The content type of a stored object.
pub fn content_type(container: Container) -> &'static str {
    match container {
        Container::QUICKTIME => "video/quicktime",
        Container::WEBM => "video/webm",
        Container::MATROSKA => "video/x-matroska",
        _ => "video/mp4",
    }
}

#[cfg(test)]
mod tests {
    use idl::base::Code;

    use super::*;

    #[test]
    fn the_first_bytes_tell_the_format() {
        for (bytes, container) in [
            (&b"\0\0\0\x20ftypisom"[..], Container::MP4),
            (b"\0\0\0\x14ftypqt  ", Container::QUICKTIME),
            (b"\0\0\0\x08wide\0\0\0\0mdat", Container::QUICKTIME),
            (
                b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm",
                Container::WEBM,
            ),
            (
                b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x88matroska",
                Container::MATROSKA,
            ),
        ] {
            assert_eq!(of(bytes).unwrap(), container);
        }
    }

    #[test]
    fn what_is_no_video_is_refused() {
        for bytes in [
            &b""[..],
            b"x",
            b"#EXTM3U\nhttp://127.0.0.1/",
            b"\x89PNG\r\n\x1a\n0000",
            b"\0\0\0\x20ftyp",
        ] {
            assert_eq!(of(bytes).unwrap_err().code(), Code::NOT_A_VIDEO);
        }
    }
}
