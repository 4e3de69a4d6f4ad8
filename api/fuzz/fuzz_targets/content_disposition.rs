//! A part's header block: any bytes; and the parameters of `Content-Disposition` and of a content type, which are read alike.
//!
//! Nothing panics; a name is the one that the reference parser below finds; and a name that was written, with whatever file name
//! and other parameters round it, is read again.
#![no_main]
#![forbid(unsafe_code)]

use multipart::{boundary, disposition_name, part_name};
use api_fuzz::print_speed;
use libfuzzer_sys::fuzz_target;

/// None: malformed.
type Name = Option<Option<String>>;

/// One byte at a time. A parameter whose quotes don't close, or that goes on behind them, ends what can be read.
fn plainly(value: &[u8]) -> Name {
    #[derive(Clone, Copy, PartialEq)]
    enum At {
        Kind,
        Name,
        Value,
        Plain,
        Quoted,
        Escaped,
        Behind,
    }
    let (mut at, mut kind, mut word, mut text) = (At::Kind, Vec::new(), Vec::new(), Vec::new());
    let mut found: Vec<Vec<u8>> = Vec::new();
    let mut is_broken = false;
    let is_name = |word: &[u8]| word.trim_ascii().eq_ignore_ascii_case(b"name");
    for byte in value.iter().chain(b";") {
        let is_space = byte.is_ascii_whitespace();
        at = match (at, byte) {
            (At::Kind, b';') => At::Name,
            (At::Kind, byte) => {
                kind.push(*byte);
                At::Kind
            }
            (At::Name, b';') => {
                word.clear();
                At::Name
            }
            (At::Name, b'=') => At::Value,
            (At::Name, byte) => {
                word.push(*byte);
                At::Name
            }
            (At::Value, b'"') => At::Quoted,
            (At::Value, _) if is_space => At::Value,
            (At::Value | At::Plain | At::Behind, b';') => {
                if is_name(&word) {
                    let is_quoted = at == At::Behind;
                    found.push(match is_quoted {
                        true => text.clone(),
                        false => text.trim_ascii().to_vec(),
                    });
                }
                word.clear();
                text.clear();
                At::Name
            }
            (At::Value | At::Plain, byte) => {
                text.push(*byte);
                At::Plain
            }
            (At::Quoted, b'"') => At::Behind,
            (At::Quoted, b'\\') => At::Escaped,
            (At::Quoted | At::Escaped, byte) => {
                text.push(*byte);
                At::Quoted
            }
            (At::Behind, _) if is_space => At::Behind,
            (At::Behind, _) => {
                is_broken = true;
                break;
            }
        };
    }
    // The `;` at the end stands for the header's end: what is still open doesn't close.
    is_broken |= matches!(at, At::Quoted | At::Escaped);
    if found.len() > 1 || is_broken && (found.is_empty() || is_name(&word)) {
        return None;
    }
    let is_form = kind.trim_ascii().eq_ignore_ascii_case(b"form-data");
    let name = found.pop().filter(|_| is_form);
    Some(name.and_then(|name| String::from_utf8(name).ok()))
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// Headers that hold this name, between other parameters of the same text.
fn assert_read_again(text: &str) {
    let (quoted, expected) = (quoted(text), Some(text.to_owned()));
    for header in [
        format!("form-data; name={quoted}"),
        format!("form-data; filename={quoted}; name={quoted}; x={quoted}"),
        format!("Form-Data;filename={quoted} ; NAME = {quoted} ;"),
        format!("form-data; name={quoted}; filename=\"{text}"),
    ] {
        let name = disposition_name(header.as_bytes());
        if header.ends_with(text) && !text.is_empty() {
            // The file name may end anywhere, or nowhere, or bring a second name.
            assert!(name.is_err() || name == Ok(expected.clone()), "{header:?}");
        } else {
            assert_eq!(name, Ok(expected.clone()), "{header:?}");
        }
    }
    let is_boundary = !text.is_empty()
        && text.len() <= 70
        && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
        && !text.ends_with(' ');
    let found = boundary(&format!("multipart/form-data; a={quoted}; boundary={quoted}"));
    assert_eq!(found.is_ok(), is_boundary);
    if let Ok(found) = found {
        assert_eq!(found, text.as_bytes());
    }
}

/// Headers of any length: how long one may be is for who finds its end to say.
fn print_speeds() {
    let rows = [
        ("spaces", "form-data; name=", " "),
        ("semicolons", "form-data", ";"),
        ("equals signs", "form-data; name", "="),
        ("words", "form-data", "; a"),
        ("parameters", "form-data", "; a=b"),
        ("quotes", "form-data", "; a=\"b\""),
        ("one quoted string", "form-data; name=\"", "a"),
        ("escapes", "form-data; name=\"", "\\\""),
        ("folded lines", "form-data; name=a", "\r\n b"),
        ("lines", "form-data; name=a", "\r\nx: y"),
    ];
    for (what, start, again) in rows {
        let block = |size: usize| {
            let again = again.repeat((size - start.len()) / again.len());
            format!("content-disposition: {start}{again}")
        };
        print_speed(what, usize::MAX, block, |block| {
            let _ = part_name(block.as_bytes());
        });
    }
}

fuzz_target!(init: print_speeds(), |input: &[u8]| {
    let name = disposition_name(input).ok();
    assert_eq!(name, plainly(input), "{:?}", String::from_utf8_lossy(input));

    let _ = part_name(input);
    let is_line = |byte: &u8| !b"\r\n\0".contains(byte);
    if input.iter().all(is_line) {
        let line = [b"x: y\r\nContent-Disposition: ", input, b"\r\nz:"].concat();
        assert_eq!(part_name(&line).ok(), name);
        let folded = [b"content-disposition:\r\n ", input].concat();
        assert_eq!(part_name(&folded).ok(), name);
    }
    if let Ok(text) = std::str::from_utf8(input) {
        assert_read_again(text);
    }
});
