//! The web page at `/`, as `make web` builds it from `api/web`. A program that was built without it serves a page that says how.
//!
//! Its policy lets it speak to this server and show what lies at the object store's public address, and nothing else. Browsers keep the
//! files whose names change with their content; they ask for the page itself each time.

use std::fmt::Write as _;

use http::header;
use sha2::{Digest as _, Sha256};

use super::asset::Asset;

/// Name below `web/dist`, and content.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/web_files.rs"));
/// The page's name there.
const PAGE: &str = "index.html";
const NOT_BUILT: &[u8] = include_bytes!("../../web/not-built.html");
/// A year, the longest that may be said.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// All files of the page, for an object store that browsers reach at `public_endpoint`.
pub(super) fn assets(public_endpoint: &str) -> Vec<Asset> {
    let files = match FILES {
        [] => &[(PAGE, NOT_BUILT)],
        files => files,
    };
    let asset =
        |(name, content): &(&'static str, &'static [u8])| asset(name, content, public_endpoint);
    files.iter().map(asset).collect()
}

fn asset(name: &'static str, content: &'static [u8], public_endpoint: &str) -> Asset {
    let content_type = content_type(name);
    let mut asset = if name == PAGE {
        let mut page = Asset::new("/".to_owned(), "/", content, content_type);
        page.set(header::CACHE_CONTROL, "no-cache");
        page.set(header::CONTENT_SECURITY_POLICY, &policy(public_endpoint));
        page
    } else {
        let mut file = Asset::new(format!("/{name}"), "/assets/", content, content_type);
        file.set(header::CACHE_CONTROL, FOR_EVER);
        file
    };
    asset.set(header::ETAG, &etag(content));
    asset
}

/// The content security policy. Nothing inline is allowed, so that a title or a comment can't become code.
fn policy(public_endpoint: &str) -> String {
    let store = origin(public_endpoint);
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' {store}; \
         media-src 'self' blob: {store}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
}

/// Scheme, host and port of a URL.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url.get(host..).and_then(|rest| rest.find('/'));
    end.and_then(|end| url.get(..host + end)).unwrap_or(url)
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml; charset=utf-8",
        Some("png") => "image/png",
        _ => "application/octet-stream",
    }
}

/// Weak: the same for the file and its compressed form.
fn etag(content: &[u8]) -> String {
    let mut text = String::from("W/\"");
    for byte in Sha256::digest(content).iter().take(8) {
        // Writing to a String doesn't fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, StatusCode};

    use super::*;

    #[test]
    fn the_policy_names_the_store_and_allows_nothing_inline() {
        for (endpoint, origin) in [
            ("http://127.0.0.1:19000", "http://127.0.0.1:19000"),
            ("https://videos.example/below/", "https://videos.example"),
        ] {
            let policy = policy(endpoint);
            assert!(
                policy.contains(&format!("img-src 'self' {origin};")),
                "{policy}"
            );
            assert!(
                policy.contains(&format!("media-src 'self' blob: {origin};")),
                "{policy}"
            );
            assert!(!policy.contains("unsafe"), "{policy}");
        }
    }

    #[test]
    fn the_page_is_asked_for_anew_and_what_it_names_by_content_is_kept() {
        for file in assets("http://127.0.0.1:19000") {
            let caching = file.headers[header::CACHE_CONTROL].to_str().unwrap();
            assert_eq!(caching == "no-cache", file.path == "/", "{}", file.path);
            assert_eq!(file.response(&HeaderMap::new()).status(), StatusCode::OK);
            let mut request = HeaderMap::new();
            request.insert(header::IF_NONE_MATCH, file.headers[header::ETAG].clone());
            let response = file.response(&request);
            assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
        }
    }
}
