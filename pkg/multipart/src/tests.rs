//! What the parser gives of a form, however it is cut, and which forms it refuses.

use std::{
    convert::identity,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, stream};

use super::*;

const SMALL: Limits = Limits {
    file: Some(("data", 100)),
    other_bytes: 1000,
    header_bytes: 100,
    parts: 4,
};
/// As wide as the API's.
fn wide(file_bytes: u64) -> Limits {
    Limits {
        file: Some(("data", file_bytes)),
        other_bytes: MIB,
        header_bytes: 16 << 10,
        parts: 32,
    }
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// Names and contents of the parts that are complete, and how it ended.
type Seen = (Vec<(Option<String>, Vec<u8>)>, Result<(), FormError>);

fn read<'a>(boundary: &[u8], limits: Limits, chunks: impl Iterator<Item = &'a [u8]>) -> Seen {
    let mut reader = Reader::new(boundary, limits);
    let (mut parts, mut part) = (Vec::new(), None);
    let all = || -> Result<(), FormError> {
        for chunk in chunks {
            reader.push(Bytes::copy_from_slice(chunk));
            while let Some(event) = reader.next_event()? {
                match event {
                    Event::Part(name) => part = Some((name, Vec::new())),
                    Event::Content(bytes) => part.as_mut().unwrap().1.extend(bytes),
                    Event::PartEnd => parts.extend(part.take()),
                }
            }
        }
        reader.end()
    };
    let ended = all();
    (parts, ended)
}

/// The parts of a body with the boundary `b`, which must be the same however it is cut.
fn parts(body: &[u8]) -> Seen {
    let whole = read(b"b", SMALL, [body].into_iter());
    for size in 1..body.len() {
        let cut = read(b"b", SMALL, body.chunks(size));
        assert_eq!(cut, whole, "in pieces of {size}");
    }
    whole
}

fn header(name: &str) -> String {
    format!("--b\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n")
}

fn named(pairs: &[(&str, &[u8])]) -> Seen {
    let pairs = pairs.iter();
    let parts = pairs.map(|(name, content)| (Some((*name).to_owned()), content.to_vec()));
    (parts.collect(), Ok(()))
}

#[test]
fn a_form_is_the_same_however_it_is_cut() {
    let (a, data) = (header("a"), header("data"));
    let form = format!("{a}one\r\n{data}\0\r\n--\r\n-\r\n\r\n--b--\r\n");
    let expected = named(&[("a", b"one"), ("data", b"\0\r\n--\r\n-\r\n")]);
    assert_eq!(parts(form.as_bytes()), expected);
    // What RFC 2046 allows round it.
    let form = format!("preamble\r\n{form}epilogue\r\n--b\r\n");
    assert_eq!(parts(form.as_bytes()), expected);
    let form = form.replace("--b\r\n", "--b \t\r\n");
    assert_eq!(parts(form.as_bytes()), expected);
    let form = form.replace("--b--\r\n", "--b--");
    assert_eq!(parts(form.as_bytes()), expected);
}

#[test]
fn what_only_looks_like_a_boundary_is_content() {
    for content in [
        "\r\n-",
        "\r\n--",
        "\r\n--a",
        "\n--b",
        "\r--b",
        "\r\r\n",
        "\r\n\r\n--",
        "-b--",
        "x--b",
        "\r\n -b",
        "\r",
    ] {
        let form = format!("{}{content}\r\n--b--", header("a"));
        let expected = named(&[("a", content.as_bytes())]);
        assert_eq!(parts(form.as_bytes()), expected, "{content:?}");
    }
    let long = b"a=b; c";
    let body =
        b"--a=b; c\r\ncontent-disposition: form-data; name=a\r\n\r\n\r\n--a=b; \r\n--a=b; c--";
    let expected = named(&[("a", b"\r\n--a=b; ")]);
    assert_eq!(read(long, SMALL, [body.as_slice()].into_iter()), expected);
}

#[test]
fn a_part_may_have_no_content_no_header_and_no_name() {
    let empty = named(&[("a", b""), ("a", b"")]);
    let a = header("a");
    // The line's end before a boundary belongs to it, also when it ends the header.
    assert_eq!(parts(format!("{a}\r\n{a}--b--").as_bytes()), empty);
    let nameless = vec![(None, b"x".to_vec()), (None, Vec::new())];
    assert_eq!(
        parts(b"--b\r\n\r\nx\r\n--b\r\ncontent-type: text/plain\r\n\r\n\r\n--b--"),
        (nameless, Ok(()))
    );
    assert_eq!(parts(b"--b--"), (Vec::new(), Ok(())));
}

#[test]
fn a_body_that_is_no_form_is_refused() {
    let a = header("a");
    let ended = |body: &str| parts(body.as_bytes()).1;
    for body in ["--bc\r\n", "--b-x", "--b \r\r\n", "--b\rx", "--b x\r\n"] {
        assert_eq!(ended(body), Err(FormError::Malformed), "{body:?}");
        let later = format!("{a}x\r\n{body}");
        assert_eq!(ended(&later), Err(FormError::Malformed), "{later:?}");
    }
    assert_eq!(ended("--b\r\nnonsense\r\n\r\n"), Err(FormError::Malformed));
    let form = format!("{a}x\r\n--b--");
    for length in 0..form.len() {
        let cut = ended(&form[..length]);
        assert_eq!(cut, Err(FormError::BrokeOff), "{length}");
    }
}

#[test]
fn each_limit_is_kept_to_the_byte() {
    let padded = |bytes: usize| "x".repeat(bytes);
    let ended = |body: &str| parts(body.as_bytes()).1;
    let refused = Err(FormError::TooLarge);

    let file = |bytes| format!("{}{}\r\n--b--", header("data"), padded(bytes));
    assert_eq!(ended(&file(100)), Ok(()));
    assert_eq!(ended(&file(101)), refused);

    let end = "\r\n\r\nx\r\n--b--";
    let start = "--b\r\nx: ";
    let with_header = |bytes: usize| format!("{start}{}{end}", padded(bytes - "x: \r\n\r\n".len()));
    assert_eq!(ended(&with_header(100)), Ok(()));
    assert_eq!(ended(&with_header(101)), refused);
    assert_eq!(ended(&format!("--b\r\nx: {}", padded(1000))), refused);

    // All that isn't the file counts, wherever it stands.
    let (a, data) = (header("a"), header("data"));
    let file = padded(100);
    for (bytes, expected) in [(1000, Ok(())), (1001, refused)] {
        let room = bytes - format!("\r\n{a}\r\n{data}\r\n--b--").len();
        let padding = padded(room);
        for place in 0..3 {
            let at = |wanted| {
                if place == wanted {
                    padding.as_str()
                } else {
                    ""
                }
            };
            let form = format!(
                "{}\r\n{a}{}\r\n{data}{file}\r\n--b--{}",
                at(0),
                at(1),
                at(2)
            );
            assert_eq!(ended(&form), expected, "{place}: {bytes}");
        }
    }

    let form = |count| format!("{}--b--", format!("{a}x\r\n").repeat(count));
    assert_eq!(ended(&form(4)), Ok(()));
    assert_eq!(ended(&form(5)), Err(FormError::TooManyParts(4)));
}

/// How many bytes of an endless body are read before it is refused; the error. Without waiting, since it never pauses.
fn read_of_endless(start: &str, again: &'static [u8]) -> (u64, FormError) {
    let read = Arc::new(AtomicU64::new(0));
    let start = Bytes::copy_from_slice(start.as_bytes());
    let endless = stream::once(async move { start })
        .chain(stream::repeat(Bytes::from_static(again)))
        .inspect({
            let read = read.clone();
            move |chunk| {
                read.fetch_add(chunk.len() as u64, Ordering::Relaxed);
            }
        });
    let chunks = Box::pin(endless.map(Ok::<_, FormError>));
    let receive = async {
        let content_type = "multipart/form-data; boundary=b";
        let limits = wide(u64::MAX);
        let mut form = Form::new(
            content_type,
            chunks,
            |name| ["title", "token"].contains(&name),
            limits,
        )?;
        while let Some(part) = form.next_part().await? {
            if part.name != "data" {
                part.bytes(64 << 10).await?;
            }
        }
        Ok::<_, FormError>(())
    };
    let error = receive.now_or_never().map(Result::unwrap_err).unwrap();
    (read.load(Ordering::Relaxed), error)
}

#[test]
fn an_endless_form_is_refused_before_it_costs_much() {
    let part = "--b\r\ncontent-disposition: form-data; name=title\r\n\r\nx\r\n";
    let other = "--b\r\ncontent-disposition: form-data; name=other\r\n\r\n";
    const TOO_LARGE: FormError = FormError::TooLarge;
    let parts = part.repeat(40);
    for (what, start, again, bytes, expected) in [
        ("preamble", "", "preamble", MIB, TOO_LARGE),
        ("lines", "", "\r\n", MIB, TOO_LARGE),
        ("look-alikes", "", "\r\n--\r\n--", MIB, TOO_LARGE),
        ("padding", "--b", " ", MIB, TOO_LARGE),
        ("header", "--b\r\nx: ", "y", 16 * KIB, TOO_LARGE),
        ("header lines", "--b\r\n", "x: y\r\n", 16 * KIB, TOO_LARGE),
        (
            "folded header",
            "--b\r\nx: y",
            "\r\n y",
            16 * KIB,
            TOO_LARGE,
        ),
        ("text", part.trim_end(), "text", 64 * KIB, TOO_LARGE),
        ("unknown text", other, "text", MIB, TOO_LARGE),
        ("epilogue", "--b--", "epilogue", MIB, TOO_LARGE),
        (
            "parts",
            "",
            identity(part),
            33 * 60,
            FormError::TooManyParts(32),
        ),
        (
            "parts at once",
            &parts,
            "",
            40 * 60,
            FormError::TooManyParts(32),
        ),
    ] {
        let again: &'static [u8] = again.as_bytes();
        let (read, error) = read_of_endless(start, again);
        assert_eq!(error, expected, "{what}");
        assert!(read <= bytes + 64, "{what}: {read}");
    }
}

#[test]
fn a_file_passes_through_in_slices_of_what_arrived() {
    let chunk = Bytes::from(vec![7; 64 << 10]);
    let mut reader = Reader::new(b"b", wide(u64::MAX));
    reader.push(Bytes::from(header("data")));
    assert!(matches!(
        reader.next_event(),
        Ok(Some(Event::Part(Some(_))))
    ));
    assert_eq!(reader.next_event(), Ok(None));
    for _ in 0..100 {
        reader.push(chunk.clone());
        match reader.next_event() {
            Ok(Some(Event::Content(content))) => {
                assert_eq!(
                    (content.as_ptr(), content.len()),
                    (chunk.as_ptr(), chunk.len())
                );
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(reader.next_event(), Ok(None));
    }
}

#[tokio::test]
async fn only_parts_of_known_names_are_given_and_what_is_unread_is_skipped() {
    let form = ["token", "other", "data", "title", "Token", ""].map(header);
    let body = form.join("x\r\n") + "x\r\n--b--";
    let chunks =
        stream::iter(body.into_bytes()).map(|byte| Ok::<_, FormError>(Bytes::from(vec![byte])));
    let content_type = "multipart/form-data; boundary=b";
    let mut form = Form::new(
        content_type,
        chunks,
        |name| ["title", "token"].contains(&name),
        wide(1),
    )
    .unwrap();
    let mut names = Vec::new();
    while let Some(part) = form.next_part().await.unwrap() {
        names.push(part.name.clone());
        if names.len() == 1 {
            assert_eq!(part.bytes(1).await.unwrap(), b"x");
        }
    }
    assert_eq!(names, ["token", "data", "title"]);
}
