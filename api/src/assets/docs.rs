//! The API document: `/openapi.json` for programs, `/docs` for people. The page asks no other host, and its policy forbids it to.

use http::header;

use super::asset::Asset;
use crate::openapi;

/// Where the page may load from, and who may frame it.
const POLICY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const PAGE: &[u8] = include_bytes!("docs/docs.html");

const FILES: &[(&str, &[u8])] = &[
    ("/docs", PAGE),
    ("/docs/docs.css", include_bytes!("docs/docs.css")),
    ("/docs/docs.js", include_bytes!("docs/docs.js")),
    ("/docs/docs.svg", include_bytes!("docs/docs.svg")),
    ("/docs/dom.js", include_bytes!("docs/dom.js")),
    ("/docs/lock.svg", include_bytes!("docs/lock.svg")),
    ("/docs/quickstart.go", include_bytes!("docs/quickstart.go")),
    (
        "/docs/quickstart.mjs",
        include_bytes!("docs/quickstart.mjs"),
    ),
    ("/docs/quickstart.sh", include_bytes!("docs/quickstart.sh")),
    ("/docs/request.js", include_bytes!("docs/request.js")),
    ("/docs/unlock.svg", include_bytes!("docs/unlock.svg")),
    ("/docs/words.js", include_bytes!("docs/words.js")),
    ("/docs/zh.json", include_bytes!("docs/zh.json")),
];

/// The document and the files of its page.
pub(super) fn assets() -> Vec<Asset> {
    let mut assets = vec![
        asset(
            "/openapi.json",
            openapi::json().as_bytes(),
            "application/json; charset=utf-8",
        ),
        asset("/docs/", PAGE, content_type("/docs/")),
    ];
    assets.extend(
        FILES
            .iter()
            .map(|(path, content)| asset(path, content, content_type(path))),
    );
    assets
}

fn asset(path: &'static str, content: &'static [u8], content_type: &str) -> Asset {
    let mut asset = Asset::new(path.to_owned(), path, content, content_type);
    // Without an ETag: a page of another version must not be taken for this one.
    asset.set(header::CACHE_CONTROL, "no-store");
    asset.set(header::CONTENT_SECURITY_POLICY, POLICY);
    asset
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml; charset=utf-8",
        Some("json") => "application/json; charset=utf-8",
        Some("sh" | "go") => "text/plain; charset=utf-8",
        _ => "text/html; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::Value;

    use super::*;

    /// The texts that the page shows: paragraphs and items of lists, on one line. Tables have both languages themselves.
    fn texts(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(object) => {
                for (name, value) in object {
                    match (name.as_str(), value) {
                        ("summary" | "description", Value::String(text)) => {
                            let pieces = text
                                .split("\n\n")
                                .filter(|block| !block.starts_with('|'))
                                .flat_map(|block| block.split("\n- "))
                                .map(|piece| piece.strip_prefix("- ").unwrap_or(piece));
                            let lines = |piece: &str| {
                                piece.split_whitespace().collect::<Vec<_>>().join(" ")
                            };
                            found.extend(pieces.map(lines));
                        }
                        // What examples say comes from the table of codes.
                        ("example" | "examples", _) => {}
                        _ => texts(value, found),
                    }
                }
            }
            Value::Array(array) => array.iter().for_each(|value| texts(value, found)),
            _ => {}
        }
    }

    #[test]
    fn every_text_of_the_document_is_there_in_chinese() {
        let mut texts_of_document = BTreeSet::new();
        texts(
            &serde_json::from_str(openapi::json()).unwrap(),
            &mut texts_of_document,
        );
        let chinese: BTreeMap<String, String> =
            serde_json::from_str(include_str!("docs/zh.json")).unwrap();
        let translated: BTreeSet<String> = chinese.keys().cloned().collect();
        let missing: Vec<_> = texts_of_document.difference(&translated).collect();
        let idle: Vec<_> = translated.difference(&texts_of_document).collect();
        assert!(
            missing.is_empty() && idle.is_empty(),
            "api/src/assets/docs/zh.json lacks {missing:#?} and has for nothing {idle:#?}"
        );
        for (english, chinese) in &chinese {
            let has_chinese = chinese
                .chars()
                .any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
            assert!(has_chinese, "{english}");
            // Names of parameters and values are the same in both.
            let names = |text: &str| {
                let names = text.split('`').skip(1).step_by(2).map(str::to_owned);
                names.collect::<BTreeSet<_>>()
            };
            assert_eq!(names(english), names(chinese), "{english}");
        }
    }
}
