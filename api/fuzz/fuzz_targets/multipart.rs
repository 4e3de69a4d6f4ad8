//! The multipart reader of uploads: a form of any bytes, however they arrive; the input's first byte is the length of the pieces.
//!
//! Nothing panics; no file is larger than its limit, and no more is read than was sent; the parts are the same in whatever pieces
//! the form comes; and a good form gives back what it was made of.
#![no_main]
#![forbid(unsafe_code)]

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use api::params::{
    body::BodyError,
    multipart::{FILE, form_error, next_part, parts, text},
};
use bytes::Bytes;
use futures::{Stream, StreamExt as _, stream};
use libfuzzer_sys::fuzz_target;

const CONTENT_TYPE: &str = "multipart/form-data; boundary=b";
/// What no part may hold.
const END: &[u8] = b"\r\n--b";
/// Small, so that it is exceeded.
const FILE_BYTES: u64 = 64;
/// Parts of a form that is made here, at most.
const PARTS: usize = 8;

/// Names and contents of the parts, as far as the form is one; whether it ended well.
type Seen = (Vec<(String, Vec<u8>)>, bool);

/// One piece each time that `due` says so. What is ready at once the reader would take at once, and see no pieces.
fn arriving(
    pieces: Vec<Bytes>,
    due: Arc<AtomicBool>,
) -> impl Stream<Item = Result<Bytes, BodyError>> {
    let mut pieces = pieces.into_iter();
    stream::poll_fn(move |_| match due.swap(false, Ordering::Relaxed) {
        true => Poll::Ready(pieces.next().map(Ok)),
        false => Poll::Pending,
    })
}

fn read(pieces: Vec<Bytes>) -> Seen {
    let due = Arc::new(AtomicBool::new(false));
    let mut reading = pin!(read_parts(arriving(pieces, due.clone())));
    let mut context = Context::from_waker(Waker::noop());
    loop {
        due.store(true, Ordering::Relaxed);
        if let Poll::Ready(seen) = reading.as_mut().poll(&mut context) {
            return seen;
        }
    }
}

async fn read_parts(pieces: impl Stream<Item = Result<Bytes, BodyError>> + Send + 'static) -> Seen {
    let mut seen = Vec::new();
    let Ok(mut form) = parts(CONTENT_TYPE, pieces, FILE_BYTES) else {
        return (seen, false);
    };
    loop {
        let mut part = match next_part(&mut form).await {
            Ok(Some(part)) => part,
            Ok(None) => return (seen, true),
            Err(_) => return (seen, false),
        };
        let Some(name) = part.name().map(str::to_owned) else {
            continue;
        };
        if name == FILE {
            let mut file = Vec::new();
            while let Some(chunk) = part.next().await {
                let Ok(chunk) = chunk.map_err(form_error) else {
                    return (seen, false);
                };
                file.extend_from_slice(&chunk);
                assert!(file.len() as u64 <= FILE_BYTES, "a file above its limit");
            }
            seen.push((name, file));
        } else {
            match text(&name, part).await {
                Ok(text) => seen.push((name, text.into_bytes())),
                Err(_) => return (seen, false),
            }
        }
    }
}

/// At once and in pieces, which must make no difference.
fn read_both_ways(form: &[u8], size: usize) -> Seen {
    let whole = read(vec![Bytes::copy_from_slice(form)]);
    let in_pieces = read(form.chunks(size).map(Bytes::copy_from_slice).collect());
    assert_eq!(whole, in_pieces, "in pieces of {size}");
    let sizes = whole.0.iter().map(|(_, content)| content.len());
    assert!(sizes.sum::<usize>() <= form.len(), "more than was sent");
    whole
}

/// A good form of these contents, and what must be read of it.
fn made(contents: &[&[u8]]) -> (Vec<u8>, Seen) {
    let (mut form, mut expected, mut good) = (Vec::new(), Vec::new(), true);
    for (n, content) in contents.iter().enumerate() {
        let name = if n == 1 {
            FILE.to_owned()
        } else {
            format!("p{n}")
        };
        form.extend(
            format!("--b\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n").bytes(),
        );
        form.extend_from_slice(content);
        form.extend(b"\r\n");
        good = good
            && match n {
                1 => content.len() as u64 <= FILE_BYTES,
                _ => std::str::from_utf8(content).is_ok(),
            };
        if good {
            expected.push((name, content.to_vec()));
        }
    }
    form.extend(b"--b--\r\n");
    (form, (expected, good))
}

fuzz_target!(|input: &[u8]| {
    let Some((size, rest)) = input.split_first() else {
        return;
    };
    let size = usize::from(*size).max(1);
    read_both_ways(rest, size);

    let contents: Vec<&[u8]> = rest.split(|byte| *byte == 0).take(PARTS).collect();
    let ends = |content: &&[u8]| content.windows(END.len()).any(|window| window == END);
    if !contents.iter().any(ends) {
        let (form, expected) = made(&contents);
        assert_eq!(read_both_ways(&form, size), expected);
    }
});
