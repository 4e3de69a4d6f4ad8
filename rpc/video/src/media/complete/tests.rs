//! Files that are cut at every byte, or damaged: each is refused, and in few reads.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use testkit::media;

use super::{window::WINDOW_BYTES, *};

/// A file in memory, so that it can be cut at every byte.
struct File<'a> {
    bytes: &'a [u8],
    reads: AtomicUsize,
}

impl ReadAt for File<'_> {
    async fn read_at(&self, offset: u64, length: u64) -> Result<Bytes, MediaError> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let from = self.bytes.len().min(offset as usize);
        let to = self.bytes.len().min((offset + length) as usize);
        Ok(Bytes::copy_from_slice(&self.bytes[from..to]))
    }
}

async fn verdict(bytes: &[u8]) -> Result<(), Refusal> {
    let file = File {
        bytes,
        reads: AtomicUsize::new(0),
    };
    let verdict = complete(&file, bytes.len() as u64).await;
    assert!(
        file.reads.into_inner() <= bytes.len() / WINDOW_BYTES as usize + 2,
        "reads are bounded by the size"
    );
    match verdict {
        Ok(()) => Ok(()),
        Err(MediaError::Refused(refusal)) => Err(refusal),
        Err(other) => panic!("{other}"),
    }
}

/// The lengths at which the file passes although it is cut there.
async fn passes_when_cut(bytes: &[u8]) -> Vec<usize> {
    let mut passed = Vec::new();
    for length in 0..bytes.len() {
        if verdict(&bytes[..length]).await.is_ok() {
            passed.push(length);
        }
    }
    passed
}

/// Turns the sizes of a segment and of its clusters into "unknown", as browsers record; answers where the blocks in them begin.
fn as_recorded_live(mut webm: Vec<u8>) -> (Vec<u8>, Vec<usize>) {
    const BLOCK: u64 = 0xA3;
    let (mut offset, mut blocks) = (0, Vec::new());
    while offset < webm.len() {
        let (id, id_bytes) = number(&webm[offset..]);
        let (size, size_bytes) = number(&webm[offset + id_bytes..]);
        let content = offset + id_bytes + size_bytes;
        if id == BLOCK {
            blocks.push(offset);
        }
        if id == 0x1853_8067 || id == 0x1F43_B675 {
            let marker = 0xFF >> (size_bytes - 1);
            webm[offset + id_bytes..content].fill(0xFF);
            webm[offset + id_bytes] = marker;
            offset = content;
        } else {
            offset = content + (size & !(1 << (7 * size_bytes))) as usize;
        }
    }
    (webm, blocks)
}

fn number(bytes: &[u8]) -> (u64, usize) {
    let length = bytes[0].leading_zeros() as usize + 1;
    let value = bytes[..length]
        .iter()
        .fold(0, |value, byte| value << 8 | u64::from(*byte));
    (value, length)
}

/// Where the top-level box of this kind begins.
fn box_at(mp4: &[u8], kind: &[u8; 4]) -> usize {
    let mut offset = 0;
    while &mp4[offset + 4..offset + 8] != kind {
        let size = mp4[offset..offset + 4].first_chunk().unwrap();
        offset += u32::from_be_bytes(*size) as usize;
    }
    offset
}

#[tokio::test]
async fn whole_files_pass() {
    for (name, file) in [
        ("mp4, index in front", media::mp4()),
        ("mp4, index at the end", media::mp4_moov_at_end()),
        ("mp4, padded", media::mp4_of_size(3 << 20)),
        ("mov", media::mov()),
        ("webm", media::webm()),
        ("mkv", media::mkv()),
        ("webm, live", as_recorded_live(media::webm()).0),
    ] {
        assert_eq!(verdict(&file).await, Ok(()), "{name}");
    }
}

#[tokio::test]
async fn an_mp4_cut_at_any_byte_is_refused() {
    for file in [media::mp4(), media::mp4_moov_at_end(), media::mov()] {
        assert_eq!(passes_when_cut(&file).await, [0; 0]);
    }
}

#[tokio::test]
async fn a_webm_cut_at_any_byte_is_refused() {
    assert_eq!(passes_when_cut(&media::webm()).await, [0; 0]);
    assert_eq!(passes_when_cut(&media::mkv()).await, [0; 0]);
}

#[tokio::test]
async fn a_live_webm_cut_within_any_block_is_refused() {
    let (file, blocks) = as_recorded_live(media::webm());
    for length in passes_when_cut(&file).await {
        let is_inside = blocks
            .windows(2)
            .any(|pair| pair[0] < length && length < pair[1]);
        assert!(!is_inside, "passed when cut at {length}");
    }
}

#[tokio::test]
async fn an_mp4_with_a_box_of_64_bit_size_is_measured_by_it() {
    let mut file = media::mp4();
    file.extend([0, 0, 0, 1, b'f', b'r', b'e', b'e', 0, 0, 0, 0, 0, 0, 0, 20]);
    file.extend([0; 4]);
    assert_eq!(verdict(&file).await, Ok(()));
    let cut = &file[..file.len() - 1];
    assert_eq!(verdict(cut).await, Err(Refusal::CutShort));
}

#[tokio::test]
async fn samples_in_a_box_without_a_size_are_looked_for() {
    let mut file = media::mp4();
    let mdat = box_at(&file, b"mdat");
    file[mdat..mdat + 4].fill(0);
    assert_eq!(verdict(&file).await, Ok(()));
    for missing in [1, 100, file.len() - mdat - 8] {
        let cut = &file[..file.len() - missing];
        assert_eq!(verdict(cut).await, Err(Refusal::CutShort), "{missing}");
    }
}

#[tokio::test]
async fn an_index_without_samples_is_a_file_cut_short() {
    let file = media::mp4();
    let index = &file[..box_at(&file, b"mdat")];
    assert_eq!(verdict(index).await, Err(Refusal::CutShort));
}

#[tokio::test]
async fn a_box_that_cannot_hold_its_own_header_is_damage() {
    let before = |header: &[u8]| [header, &media::mp4()].concat();
    let short = before(b"\0\0\0\x07free");
    assert_eq!(verdict(&short).await, Err(Refusal::Damaged));
    let long = before(b"\0\0\0\x01free\0\0\0\0\0\0\0\x0f");
    assert_eq!(verdict(&long).await, Err(Refusal::Damaged));
}

#[tokio::test]
async fn what_is_appended_to_a_whole_film_is_no_fault() {
    for film in [
        media::mp4(),
        media::mp4_moov_at_end(),
        media::webm(),
        media::mkv(),
    ] {
        for tail in [
            &[0; 4][..],
            &[0; 70_000],
            b"sent by a messenger",
            &[0xFF; 9],
        ] {
            let file = [&film, tail].concat();
            assert_eq!(verdict(&file).await, Ok(()), "{} bytes", tail.len());
        }
    }
}

#[tokio::test]
async fn photos_and_films_that_lie_about_their_end_are_refused() {
    assert_eq!(verdict(&media::photo()).await, Err(Refusal::Photo));
    let cut = media::cut_and_resized();
    assert_eq!(verdict(&cut).await, Err(Refusal::CutShort));
}

#[tokio::test]
async fn anything_else_is_of_an_unknown_format() {
    for file in [
        Vec::new(),
        media::text(),
        media::picture(),
        media::hls("http://127.0.0.1:9/x"),
        media::concat("http://127.0.0.1:9/x"),
        media::dash("http://127.0.0.1:9/x"),
        vec![0x1A, 0x45],
    ] {
        assert_eq!(verdict(&file).await, Err(Refusal::UnknownFormat));
    }
}

#[tokio::test]
async fn a_store_that_gives_less_than_it_said_is_not_the_files_fault() {
    let bytes = media::mp4();
    let file = File {
        bytes: &bytes[..bytes.len() - 1],
        reads: AtomicUsize::new(0),
    };
    let verdict = complete(&file, bytes.len() as u64).await;
    assert!(matches!(verdict, Err(MediaError::Unavailable(_))));
}
