//! The parameter parser: a query string and a body of any type, whatever they hold.
//!
//! The input is a byte that chooses the type, the query string up to the first line feed, and the body. Nothing panics; an
//! urlencoded text is read as the reference parser below reads it, or refused when that one can't or finds too many; the query wins
//! over the body; a number is the one that is written.
#![no_main]
#![forbid(unsafe_code)]

use std::sync::LazyLock;

use api::params::{MAX_PARAMETERS, Params, budget::BodyBudget};
use api_fuzz::print_speed;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use libfuzzer_sys::fuzz_target;
use tokio::runtime::{Builder, Runtime};
use volo_http::body::Body;

const FORM: &str = "application/x-www-form-urlencoded";
/// Chosen by the input's first byte; so that seeds can be written by hand, `0` to `3` do it, too.
const TYPES: [&str; 4] = [
    FORM,
    "application/json",
    "multipart/form-data; boundary=b",
    "",
];
const NAMES: [&str; 6] = [
    "token",
    "video_id",
    "action_type",
    "latest_time",
    "comment_text",
    "a",
];

/// Enough for the largest body.
static BUDGET: LazyLock<BodyBudget> = LazyLock::new(|| BodyBudget::new(1 << 20));
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime")
});

/// Names and values of an urlencoded text, byte for byte; none when an escape or the encoding is broken.
fn plainly(text: &[u8]) -> Option<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    for pair in text.split(|byte| *byte == b'&') {
        let (mut halves, mut bytes) = (vec![Vec::new()], pair.iter());
        while let Some(byte) = bytes.next() {
            let decoded = match byte {
                b'=' if halves.len() == 1 => {
                    halves.push(Vec::new());
                    continue;
                }
                b'+' => b' ',
                b'%' => {
                    let high = char::from(*bytes.next()?).to_digit(16)?;
                    let low = char::from(*bytes.next()?).to_digit(16)?;
                    u8::try_from(high * 16 + low).ok()?
                }
                byte => *byte,
            };
            halves.last_mut()?.push(decoded);
        }
        if !pair.is_empty() {
            let mut texts = halves.into_iter().map(|half| String::from_utf8(half).ok());
            let name = texts.next().flatten()?;
            let value = match texts.next() {
                Some(value) => value?,
                None => String::new(),
            };
            pairs.push((name, value));
        }
    }
    Some(pairs)
}

/// The first of a name wins.
fn assert_holds(params: &Params, pairs: &[(String, String)]) {
    for (name, _) in pairs {
        let first = pairs.iter().find(|(one, _)| one == name);
        let first = first.map(|(_, value)| value.as_str());
        assert_eq!(params.text(name).ok(), first, "{name:?}");
    }
}

fn assert_numbers(params: &Params, name: &str) {
    let Some(text) = params.filled(name) else {
        return;
    };
    let number = params.whole(name);
    if let Ok(plain) = text.parse::<i64>() {
        assert_eq!(number.as_ref().ok(), Some(&plain), "{text}");
    }
    if let Ok(number) = number {
        // An unescaped `+` of an exponent has become a space. Both are rounded alike, so they are equal or it is another number.
        let float: f64 = text.replace(' ', "").parse().expect("a number");
        assert_eq!(float, number as f64, "{text}");
    }
    if let Ok(id) = params.id(name) {
        assert!(id > 0, "{id}");
    }
}

/// Whether the body was accepted.
fn add_body(params: &mut Params, content_type: &'static str, body: Bytes) -> bool {
    let mut headers = HeaderMap::new();
    if !content_type.is_empty() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    }
    let keeps = |name: &str| NAMES.contains(&name);
    let added = params.add_body(&BUDGET, &headers, Body::from(body), keeps, None);
    RUNTIME.block_on(added).is_ok()
}

/// Bodies as large as they may be.
fn print_speeds() {
    let [form, json, multipart, _] = TYPES;
    for (what, content_type, start, again) in [
        ("pairs", form, "", "a=b&"),
        ("separators", form, "", "&"),
        ("escapes", form, "a=", "%41"),
        ("members", json, "{\"a\":1", ",\"a\":1"),
        ("arrays", json, "{\"a\":[1", ",[]"),
        ("text with escapes", json, "{\"a\":\"", "\\n"),
        ("digits", json, "{\"a\":1", "0"),
        ("parts", multipart, "", "--b\r\n\r\n\r\n"),
    ] {
        let body = |size: usize| {
            let again = again.repeat((size - start.len()) / again.len());
            Bytes::from([start, &again].concat())
        };
        print_speed(what, 1 << 20, body, |body| {
            add_body(&mut Params::default(), content_type, body.clone());
        });
    }
}

fuzz_target!(init: print_speeds(), |input: &[u8]| {
    let Some((kind, rest)) = input.split_first() else {
        return;
    };
    let line = rest
        .iter()
        .position(|byte| *byte == b'\n')
        .unwrap_or(rest.len());
    let (query, body) = (&rest[..line], rest.get(line + 1..).unwrap_or_default());
    // HTTP has no other query strings.
    let Ok(query_text) = std::str::from_utf8(query) else {
        return;
    };
    let (parsed, pairs) = (Params::from_query(query_text), plainly(query));
    let is_good = pairs.as_ref().is_some_and(|pairs| pairs.len() <= MAX_PARAMETERS);
    assert_eq!(parsed.is_ok(), is_good, "{query_text}");
    let (Ok(mut params), Some(pairs)) = (parsed, pairs) else {
        return;
    };
    assert_holds(&params, &pairs);

    let content_type = TYPES[usize::from(*kind) % TYPES.len()];
    let added = add_body(&mut params, content_type, Bytes::copy_from_slice(body));
    assert_holds(&params, &pairs);
    if content_type.is_empty() || content_type == FORM {
        let all = plainly(body).map(|more| [pairs, more].concat());
        let all = all.filter(|all| all.len() <= MAX_PARAMETERS);
        assert_eq!(added, all.is_some(), "{body:?}");
        if let Some(all) = all {
            assert_holds(&params, &all);
        }
    }
    for name in NAMES {
        assert_numbers(&params, name);
    }
});
