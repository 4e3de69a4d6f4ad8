//! The video service's check that an MP4, QuickTime, WebM or Matroska file is whole: a file of any bytes.
//!
//! Nothing panics; what is wrong is the file's fault, never the store's; and what is read is bounded by the file's size. The
//! container is chosen by the input's first byte, since few inputs would begin like one.
#![no_main]
#![forbid(unsafe_code)]

use std::{
    pin::pin,
    sync::atomic::{AtomicU64, Ordering},
    task::{Context, Poll, Waker},
};

use api_fuzz::print_speed;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use rpc_video::media::{MediaError, ReadAt, Refusal, complete};

/// As the check asks for them at once.
const WINDOW_BYTES: u64 = 256 << 10;
const FTYP: &[u8] = b"\0\0\0\x08ftyp";
/// An EBML header without content, and a segment of unknown size.
const WEBM: &[u8] = b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\xff";

/// A file in memory that counts what is read of it.
struct File {
    bytes: Bytes,
    read: AtomicU64,
}

impl File {
    fn new(bytes: Vec<u8>) -> Self {
        Self {
            bytes: bytes.into(),
            read: AtomicU64::new(0),
        }
    }

    fn verdict(&self) -> Result<(), Refusal> {
        let checking = pin!(complete(self, self.bytes.len() as u64));
        match checking.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(())) => Ok(()),
            Poll::Ready(Err(MediaError::Refused(refusal))) => Err(refusal),
            Poll::Ready(Err(other)) => panic!("not the file's fault: {other}"),
            Poll::Pending => panic!("nothing here waits"),
        }
    }
}

impl ReadAt for File {
    async fn read_at(&self, offset: u64, length: u64) -> Result<Bytes, MediaError> {
        self.read.fetch_add(length, Ordering::Relaxed);
        let size = self.bytes.len();
        let (from, to) = (offset as usize, (offset + length) as usize);
        Ok(self.bytes.slice(size.min(from)..size.min(to)))
    }
}

/// Files of many small pieces, or of few that are looked at more than once.
fn print_speeds() {
    let filled = |start: &[u8], again: &[u8], size: usize| {
        let count = size.saturating_sub(start.len()) / again.len();
        [start, &again.repeat(count)].concat()
    };
    // A movie of many tracks, or of one with a large table, in a file whose media has no size: so the movie is read.
    let boxed = |kind: &[u8; 4], content: &[u8]| {
        let size = (content.len() as u32 + 8).to_be_bytes();
        [size.as_slice(), kind.as_slice(), content].concat()
    };
    let movie = |tracks: &[u8]| [FTYP, &boxed(b"moov", tracks), b"\0\0\0\0mdat"].concat();
    let table = |content: &[u8]| {
        let path = [b"stbl", b"minf", b"mdia", b"trak"];
        path.iter().fold(content.to_vec(), |inner, kind| boxed(kind, &inner))
    };
    let track = table(&[]);
    let tables = |size: usize| {
        let entries = size as u32 / 4;
        let offsets = boxed(b"stco", &[0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
        let chunks = [0, 1, 1, entries, 1].map(u32::to_be_bytes);
        let chunks = boxed(b"stsc", &chunks.concat());
        let sizes = [&[0; 8][..], &entries.to_be_bytes(), &vec![0; size]].concat();
        table(&[offsets, chunks, boxed(b"stsz", &sizes)].concat())
    };
    let rows: [(&str, Box<dyn Fn(usize) -> Vec<u8>>); 7] = [
        ("boxes", Box::new(|size| filled(FTYP, b"\0\0\0\x08free", size))),
        ("movies", Box::new(|size| filled(FTYP, b"\0\0\0\x08moov", size))),
        ("tracks", Box::new(|size| movie(&filled(b"", &track, size)))),
        ("boxes in a track", Box::new(|size| movie(&table(&filled(b"", b"\0\0\0\x08free", size))))),
        ("sizes of samples", Box::new(|size| movie(&tables(size)))),
        ("elements", Box::new(|size| filled(WEBM, b"\xec\x80", size))),
        ("clusters", Box::new(|size| filled(WEBM, b"\x1f\x43\xb6\x75\xff", size))),
    ];
    for (what, file) in rows {
        print_speed(what, usize::MAX, |size| File::new(file(size)), |file| {
            let _ = file.verdict();
        });
    }
}

fuzz_target!(init: print_speeds(), |input: &[u8]| {
    let Some((kind, rest)) = input.split_first() else {
        return;
    };
    let start = match kind % 3 {
        0 => FTYP,
        1 => WEBM,
        _ => b"",
    };
    let file = File::new([start, rest].concat());
    let size = file.bytes.len() as u64;
    let _ = file.verdict();
    // Windows overlap by less than a header; a movie may be read once more.
    assert!(file.read.into_inner() <= 2 * size + WINDOW_BYTES);
});
