//! The multipart reader of uploads: a form of any bytes, however they arrive; the input's first byte is the length of the pieces.
//!
//! Nothing panics; a form is read as the reference parser below reads it, which gets the whole body at once, limits included; and a
//! good form gives back what it was made of.
#![no_main]
#![forbid(unsafe_code)]

use multipart::{Event, Limits, Reader, boundary, part_name};
use api_fuzz::print_speed;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use plain::Parts;

const CONTENT_TYPE: &str = "multipart/form-data; boundary=b";
/// What no part may hold, nor begin with the end of.
const END: &[u8] = b"\r\n--b";
/// The part that is a file.
const FILE: &str = "data";
/// Small, so that they are exceeded.
const LIMITS: Limits = Limits {
    file: Some((FILE, 64)),
    other_bytes: 1024,
    header_bytes: 128,
    parts: 8,
};

/// The parts that are complete, and whether the form is.
type Seen = (Parts, bool);

fn read(limits: Limits, pieces: impl Iterator<Item = Bytes>) -> Seen {
    let boundary = boundary(CONTENT_TYPE).expect("a boundary");
    let mut reader = Reader::new(&boundary, limits);
    let (mut parts, mut part) = (Parts::new(), None);
    let read = || {
        for piece in pieces {
            reader.push(piece);
            while let Some(event) = reader.next_event()? {
                match event {
                    Event::Part(name) => assert!(part.replace((name, Vec::new())).is_none()),
                    Event::Content(bytes) => {
                        assert!(!bytes.is_empty(), "content without bytes");
                        part.as_mut().expect("a part").1.extend_from_slice(&bytes);
                    }
                    Event::PartEnd => parts.push(part.take().expect("a part")),
                }
            }
        }
        reader.end()
    };
    let is_whole = read().is_ok();
    assert!(!is_whole || part.is_none(), "a part without an end");
    (parts, is_whole)
}

/// What there is to compare with: from the definition, with everything before its eyes.
mod plain {
    use super::{END, FILE, LIMITS, part_name};

    pub type Parts = Vec<(Option<String>, Vec<u8>)>;

    fn find(text: &[u8], what: &[u8], from: usize) -> Option<usize> {
        let windows = text.get(from..)?.windows(what.len());
        windows.into_iter().position(|window| window == what).map(|at| from + at)
    }

    /// Goes through `body` as far as it is a form within the limits.
    pub fn read(body: &[u8], parts: &mut Parts) -> Option<()> {
        // With the line's end that a body may leave out.
        let body = [b"\r\n", body].concat();
        let file_limit = LIMITS.file.map_or(u64::MAX, |(_, bytes)| bytes) as usize;
        let (mut files, mut count) = (0, 0);
        let fits = |upto: usize, files: usize| upto - 2 - files <= LIMITS.other_bytes as usize;
        let mut open: Option<(Option<String>, usize)> = None;
        let mut from = 0;
        loop {
            let at = find(&body, END, from)?;
            if let Some((name, start)) = open.take() {
                // The header's last line may end with the delimiter's first.
                let content = body.get(start..at).unwrap_or_default().to_vec();
                if name.as_deref() == Some(FILE) {
                    files += content.len();
                }
                if files > file_limit || !fits(at + END.len(), files) {
                    return None;
                }
                parts.push((name, content));
            }
            let mut line = at + END.len();
            if body.get(line..)?.starts_with(b"--") {
                return fits(body.len(), files).then_some(());
            }
            while matches!(body.get(line), Some(b' ' | b'\t')) {
                line += 1;
            }
            if !body.get(line..)?.starts_with(b"\r\n") {
                return None;
            }
            let end = find(&body, b"\r\n\r\n", line)?;
            let (header, start) = (line + 2, end + 4);
            count += 1;
            let too_long = start - header > LIMITS.header_bytes;
            if count > LIMITS.parts || too_long || !fits(start, files) {
                return None;
            }
            let name = part_name(body.get(header..end).unwrap_or_default()).ok()?;
            open = Some((name, start));
            from = end + 2;
        }
    }
}

/// At once and in pieces, which must make no difference, nor must who reads.
fn read_in_every_way(form: &[u8], size: usize) -> Seen {
    let mut parts = Parts::new();
    let is_whole = plain::read(form, &mut parts).is_some();
    let plain = (parts, is_whole);
    let whole = read(LIMITS, [Bytes::copy_from_slice(form)].into_iter());
    assert_eq!(whole, plain);
    let pieces = form.chunks(size).map(Bytes::copy_from_slice);
    assert_eq!(read(LIMITS, pieces), plain, "in pieces of {size}");
    plain
}

/// A good form of these contents, and what must be read of it if it is within the limits.
fn made(contents: &[&[u8]]) -> (Vec<u8>, Parts) {
    let (mut form, mut expected) = (Vec::new(), Vec::new());
    for (n, content) in contents.iter().enumerate() {
        let name = if n == 1 { FILE.to_owned() } else { format!("p{n}") };
        form.extend(
            format!("--b\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n").bytes(),
        );
        form.extend_from_slice(content);
        form.extend(b"\r\n");
        expected.push((Some(name), content.to_vec()));
    }
    form.extend(b"--b--\r\n");
    (form, expected)
}

/// Bodies that a reader could look at again and again, in pieces of one size.
fn print_speeds() {
    let wide = Limits {
        other_bytes: u64::MAX,
        header_bytes: usize::MAX,
        parts: usize::MAX,
        file: Some((FILE, u64::MAX)),
    };
    let data = "--b\r\ncontent-disposition: form-data; name=\"data\"\r\n\r\n";
    let rows = [
        ("preamble", "", "x"),
        ("lines of a preamble", "", "\r\n"),
        ("file", data, "x"),
        ("line ends in a file", data, "\r\n"),
        ("look-alikes in a file", data, "\r\n--\r\n-"),
        ("header", "--b\r\nx: ", "y"),
        ("header lines", "--b\r\nx: y", "\r\nx: y"),
        ("parts", "", "--b\r\n\r\n\r\n"),
        ("epilogue", "--b--", "x"),
    ];
    for piece in [16, 16 << 10] {
        for (what, start, again) in rows {
            let body = |size: usize| {
                let again = again.repeat((size - start.len()) / again.len());
                Bytes::from([start, &again].concat())
            };
            print_speed(&format!("{what}, by {piece}"), usize::MAX, body, |body| {
                let mut reader = Reader::new(b"b", wide);
                let starts = (0..body.len()).step_by(piece);
                for start in starts {
                    reader.push(body.slice(start..body.len().min(start + piece)));
                    while let Ok(Some(_)) = reader.next_event() {}
                }
            });
        }
    }
}

fuzz_target!(init: print_speeds(), |input: &[u8]| {
    let Some((size, rest)) = input.split_first() else {
        return;
    };
    let size = usize::from(*size).max(1);
    read_in_every_way(rest, size);

    let contents: Vec<&[u8]> = rest.split(|byte| *byte == 0).collect();
    let has_end = |content: &&[u8]| {
        let ends = content.windows(END.len()).any(|window| window == END);
        ends || content.starts_with(b"--b")
    };
    if !contents.iter().any(has_end) {
        let (form, expected) = made(&contents);
        let (parts, is_whole) = read_in_every_way(&form, size);
        assert!(expected.starts_with(&parts));
        let file = contents.get(1).map_or(0, |file| file.len());
        let other = form.len() - file;
        let fits = contents.len() <= LIMITS.parts
            && file as u64 <= 64
            && other as u64 <= LIMITS.other_bytes;
        assert_eq!(is_whole, fits);
    }
});
