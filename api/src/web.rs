//! The web page at `/`, as `make web` has built it from `api/web`. It lies in the program; a program that was built without it says
//! how to make it.
//!
//! Its policy lets it speak to this server and show what lies at the object store's public address, and nothing else. Files whose
//! name is that of their content are kept by browsers for ever; the page itself is asked for anew each time.

use std::fmt::Write as _;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use sha2::{Digest as _, Sha256};
use volo_http::{body::Body, response::Response};

use crate::request_logging;

/// Name below `web/dist`, and content.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/web_files.rs"));
/// What the page is called there.
const PAGE: &str = "index.html";
const NOT_BUILT: &[u8] = include_bytes!("../web/not-built.html");
/// Of the files that may be kept: a year, the longest that one says.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// One file of the page.
#[derive(Clone)]
pub struct WebFile {
    /// Where it is served.
    pub path: String,
    /// What metrics and logs call it.
    route: &'static str,
    content: &'static [u8],
    headers: HeaderMap,
    etag: HeaderValue,
}

/// All files, for an object store that browsers reach at `public_endpoint`.
pub fn files(public_endpoint: &str) -> Vec<WebFile> {
    let mut files: Vec<WebFile> = FILES
        .iter()
        .map(|(name, content)| file(name, content, public_endpoint))
        .collect();
    if files.is_empty() {
        files.push(file(PAGE, NOT_BUILT, public_endpoint));
    }
    files
}

fn file(name: &'static str, content: &'static [u8], public_endpoint: &str) -> WebFile {
    let is_page = name == PAGE;
    let mut headers = HeaderMap::new();
    let mut put = |name, value: &str| {
        // What the settings say may be anything; a header that can't be is left out, and with it all that it would allow.
        let value = HeaderValue::from_str(value);
        headers.insert(name, value.unwrap_or(HeaderValue::from_static("")));
    };
    put(header::CONTENT_TYPE, content_type(name));
    put(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    put(header::REFERRER_POLICY, "no-referrer");
    if is_page {
        put(header::CACHE_CONTROL, "no-cache");
        put(header::CONTENT_SECURITY_POLICY, &policy(public_endpoint));
    } else {
        put(header::CACHE_CONTROL, FOR_EVER);
    }
    WebFile {
        path: if is_page {
            "/".to_owned()
        } else {
            format!("/{name}")
        },
        route: if is_page { "/" } else { "/assets/" },
        content,
        headers,
        etag: etag(content),
    }
}

/// What the page may do. Nothing inline: what somebody wrote into a title or a comment can't become code.
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

fn etag(content: &[u8]) -> HeaderValue {
    let mut text = String::from("W/\"");
    for byte in Sha256::digest(content).iter().take(8) {
        // Writing to a String doesn't fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.push('"');
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("W/\"\""))
}

impl WebFile {
    /// The file, or that the client has it already.
    pub fn answer(&self, request: &HeaderMap) -> Response {
        request_logging::set_route(self.route);
        let known = request.get(header::IF_NONE_MATCH) == Some(&self.etag);
        let mut response = if known {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            response
        } else {
            Response::new(Body::from(Bytes::from_static(self.content)))
        };
        response.headers_mut().extend(self.headers.clone());
        response
            .headers_mut()
            .insert(header::ETAG, self.etag.clone());
        response
    }
}

#[cfg(test)]
mod tests {
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
        for file in files("http://127.0.0.1:19000") {
            let caching = file.headers[header::CACHE_CONTROL].to_str().unwrap();
            assert_eq!(caching == "no-cache", file.path == "/", "{}", file.path);
            assert_eq!(file.answer(&HeaderMap::new()).status(), StatusCode::OK);
            let mut request = HeaderMap::new();
            request.insert(header::IF_NONE_MATCH, file.etag.clone());
            assert_eq!(file.answer(&request).status(), StatusCode::NOT_MODIFIED);
        }
    }
}
