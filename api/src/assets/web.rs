//! The web page, as `make web` builds it from `api/web`. A program that was built without it serves a page that says how.
//!
//! Its policy lets it speak to this server and show what lies at the object store's public address, and nothing else. Browsers keep the
//! files whose names change with their content; they ask for the page itself, and for the few other files, each time.

use std::fmt::Write as _;

use http::{HeaderMap, StatusCode, header};
use sha2::{Digest as _, Sha256};
use volo_http::response::Response;

use super::asset::Asset;

/// Name below `web/dist`, and content.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/web_files.rs"));
/// The page's name there.
const PAGE: &str = "index.html";
const NOT_BUILT: &[u8] = include_bytes!("../../web/not-built.html");
/// Where the build puts what it names by content.
const NAMED_BY_CONTENT: &str = "assets/";
/// What stands in the page's head and is replaced in a [`Document::with_title`].
const TITLE: (&str, &str) = ("<title>", "</title>");
/// A year, the longest that may be said.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// The page itself, which all its places share.
pub struct Document {
    page: Asset,
    content: &'static str,
}

impl Document {
    /// For an object store that browsers reach at `public_endpoint`.
    pub fn new(public_endpoint: &str) -> Self {
        let content = page_content();
        Self {
            page: asset(PAGE, content, public_endpoint),
            content: std::str::from_utf8(content).unwrap_or_default(),
        }
    }

    /// As it is, for a place that is there.
    pub fn response(&self, request: &HeaderMap) -> Response {
        self.page.response(request)
    }

    /// As it is, for a place that isn't.
    pub fn not_found(&self) -> Response {
        self.page
            .variant(StatusCode::NOT_FOUND, self.content.to_owned())
    }

    /// With another title, and more in its head. Both are HTML.
    pub fn with_title(&self, title: &str, more: &str) -> Response {
        let (begin, end) = TITLE;
        let parts = self.content.split_once(begin).and_then(|(before, rest)| {
            let (_, after) = rest.split_once(end)?;
            Some(format!("{before}{begin}{title}{end}{more}{after}"))
        });
        let content = parts.unwrap_or_else(|| self.content.to_owned());
        self.page.variant(StatusCode::OK, content)
    }
}

fn page_content() -> &'static [u8] {
    let page = FILES.iter().find(|(name, _)| *name == PAGE);
    page.map_or(NOT_BUILT, |(_, content)| *content)
}

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
        // The first film comes from there: the way to it is opened while the page is still loading.
        let store = format!("<{}>; rel=preconnect", origin(public_endpoint));
        page.set(header::LINK, &store);
        page
    } else {
        let mut file = Asset::new(format!("/{name}"), "/assets/", content, content_type);
        let is_kept = name.starts_with(NAMED_BY_CONTENT);
        file.set(
            header::CACHE_CONTROL,
            if is_kept { FOR_EVER } else { "no-cache" },
        );
        file
    };
    asset.set(header::ETAG, &etag(content));
    asset
}

/// The content security policy. Nothing inline is allowed, so that a title or a comment can't become code.
fn policy(public_endpoint: &str) -> String {
    let store = origin(public_endpoint);
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob: {store}; \
         media-src 'self' blob: {store}; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
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
        Some("webmanifest") => "application/manifest+json; charset=utf-8",
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
                policy.contains(&format!("img-src 'self' blob: {origin};")),
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
            let is_kept = file.path.starts_with("/assets/");
            assert_eq!(caching == "no-cache", !is_kept, "{}", file.path);
            assert_eq!(file.response(&HeaderMap::new()).status(), StatusCode::OK);
            let mut request = HeaderMap::new();
            request.insert(header::IF_NONE_MATCH, file.headers[header::ETAG].clone());
            let response = file.response(&request);
            assert_eq!(response.status(), StatusCode::NOT_MODIFIED);
        }
    }

    #[test]
    fn another_title_stands_where_the_pages_own_did_and_nobody_keeps_that_page() {
        let document = Document::new("http://127.0.0.1:19000");
        let plain = document.response(&HeaderMap::new());
        assert!(plain.headers().contains_key(header::ETAG));
        let response = document.with_title("A film", "<meta name=\"more\" />");
        assert!(!response.headers().contains_key(header::ETAG));
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-cache");
        assert_eq!(
            response.headers()[header::CONTENT_SECURITY_POLICY],
            plain.headers()[header::CONTENT_SECURITY_POLICY]
        );
        let size = |response: &Response| http_body::Body::size_hint(response.body()).exact();
        let own = document.content.split_once("<title>").unwrap().1;
        let own = own.split_once("</title>").unwrap().0.len() as u64;
        let expected = size(&plain).unwrap() - own + "A film<meta name=\"more\" />".len() as u64;
        assert_eq!(size(&response), Some(expected));
        assert_eq!(document.not_found().status(), StatusCode::NOT_FOUND);
    }
}
