//! The language of a reply follows the header, and every message is there in both languages.

use http::{HeaderMap, header};

use super::{
    CODES, Language, code_message, name_message,
    reasons::{LIMIT, REASONS, reason_message},
    rules,
};

const LANGUAGES: [Language; 2] = [Language::English, Language::Chinese];
/// Names that stay as they are in Chinese: of formats, protocols, encodings and parameters.
const NAMES: [&str; 22] = [
    "ASCII",
    "Content-Type",
    "GET",
    "HEAD",
    "Idempotency-Key",
    "JPEG",
    "JSON",
    "PNG",
    "POST",
    "UTF-8",
    "WebP",
    "comment_text",
    "data",
    "mkv",
    "mov",
    "mp4",
    "multipart",
    "password",
    "title",
    "user_id",
    "username",
    "webm",
];

fn is_chinese(letter: char) -> bool {
    ('\u{4e00}'..='\u{9fff}').contains(&letter)
}

/// Chinese, and nothing but: no word and no punctuation of English.
fn assert_chinese(text: &str) {
    assert!(text.chars().any(is_chinese), "{text}");
    let mut rest = text.to_owned();
    for name in NAMES {
        rest = rest.replace(name, "");
    }
    assert!(!rest.contains(|c: char| c.is_ascii_alphabetic()), "{text}");
    assert!(!rest.contains(|c| ",.:;!?()".contains(c)), "{text}");
    assert!(!rest.contains("{limit}"), "{text}");
}

#[test]
fn every_reason_of_the_interfaces_has_its_message_in_both_languages() {
    let known: Vec<i32> = REASONS.iter().map(|(reason, ..)| reason.inner()).collect();
    assert_eq!(numbers_of("Reason"), known);
    for (reason, ..) in REASONS {
        let [english, chinese] = LANGUAGES.map(|l| reason_message(reason, Some(7), l).unwrap());
        assert!(english.is_ascii() && !english.contains(LIMIT), "{english}");
        assert_chinese(&chinese);
        assert_eq!(english.contains('7'), chinese.contains('7'), "{chinese}");
    }
}

#[test]
fn every_other_message_is_chinese_too() {
    for (code, ..) in CODES {
        assert_chinese(code_message(code, Language::Chinese));
    }
    for rule in rules::tests::all() {
        assert_chinese(&rule.message(Language::Chinese));
    }
    for name in rules::tests::NAMES {
        let name = name_message(name, Language::Chinese);
        assert!(name == "title" || name.chars().any(is_chinese), "{name}");
    }
}

/// The numbers of an enum of base.thrift.
fn numbers_of(name: &str) -> Vec<i32> {
    let source = include_str!("../../../idl/base.thrift");
    let (_, rest) = source.split_once(&format!("enum {name} {{")).unwrap();
    let (body, _) = rest.split_once("\n}").unwrap();
    let number = |line: &str| {
        let (_, number) = line.trim().strip_suffix(',')?.split_once(" = ")?;
        number.parse().ok()
    };
    body.lines().filter_map(number).collect()
}

#[test]
fn the_language_follows_the_header() {
    for (header, language) in [
        ("", Language::English),
        ("zh", Language::Chinese),
        ("zh-CN,zh;q=0.9,en;q=0.8", Language::Chinese),
        ("en-US,en;q=0.9,zh;q=0.8", Language::English),
        ("zh;q=0.1, en;q=0.5", Language::English),
        ("fr, zh;q=0.3", Language::Chinese),
        ("fr", Language::English),
        ("zh;q=0", Language::English),
    ] {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT_LANGUAGE, header.parse().unwrap());
        assert_eq!(Language::of(&headers), language, "{header}");
    }
}

#[test]
fn every_code_of_the_interfaces_has_its_message() {
    let known: Vec<i32> = CODES.iter().map(|(code, ..)| code.inner()).collect();
    assert_eq!(numbers_of("Code"), known);
}
