//! The API document: `/openapi.json` for programs, `/docs` for people. The page asks no other host, and its policy forbids it to.

use http::header;

use super::asset::Asset;
use crate::openapi;

/// Where the page may load from, and who may frame it.
const POLICY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const HTML: &str = "text/html; charset=utf-8";
const PAGE: &[u8] = include_bytes!("docs/docs.html");

/// The document and the files of its page.
pub(super) fn assets() -> Vec<Asset> {
    [
        (
            "/openapi.json",
            "application/json; charset=utf-8",
            openapi::json().as_bytes(),
        ),
        ("/docs", HTML, PAGE),
        ("/docs/", HTML, PAGE),
        (
            "/docs/docs.js",
            "text/javascript; charset=utf-8",
            include_bytes!("docs/docs.js"),
        ),
        (
            "/docs/docs.css",
            "text/css; charset=utf-8",
            include_bytes!("docs/docs.css"),
        ),
        (
            "/docs/docs.svg",
            "image/svg+xml; charset=utf-8",
            include_bytes!("docs/docs.svg"),
        ),
    ]
    .map(|(path, content_type, content)| {
        let mut asset = Asset::new(path.to_owned(), path, content, content_type);
        // Without an ETag: a page of another version must not be taken for this one.
        asset.set(header::CACHE_CONTROL, "no-store");
        asset.set(header::CONTENT_SECURITY_POLICY, POLICY);
        asset
    })
    .into()
}
