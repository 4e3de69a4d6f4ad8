//! A static file: compressed once, at the start, and served as it is or in gzip.

use std::io::Write as _;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use volo_http::{body::Body, response::Response};

use crate::{accept_encoding::accepts_gzip, request_logging};

/// A shorter file is not compressed, in bytes.
const MIN_COMPRESSED: usize = 1024;

/// One file.
pub struct Asset {
    /// Where it is served.
    pub path: String,
    /// What metrics and logs call it.
    route: &'static str,
    content: Bytes,
    gzip: Option<Bytes>,
    pub(super) headers: HeaderMap,
}

impl Asset {
    pub(super) fn new(
        path: String,
        route: &'static str,
        content: &'static [u8],
        content_type: &str,
    ) -> Self {
        let mut asset = Self {
            path,
            route,
            content: Bytes::from_static(content),
            gzip: None,
            headers: HeaderMap::new(),
        };
        if content_type.contains("charset=utf-8") {
            asset.gzip = gzip(content);
            asset.set(header::VARY, "Accept-Encoding");
        }
        asset.set(header::CONTENT_TYPE, content_type);
        asset.set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
        asset.set(header::REFERRER_POLICY, "no-referrer");
        asset
    }

    pub(super) fn set(&mut self, name: HeaderName, value: &str) {
        // A setting in it may be anything. An empty policy allows nothing.
        let value = HeaderValue::from_str(value);
        let value = value.unwrap_or(HeaderValue::from_static(""));
        self.headers.insert(name, value);
    }

    /// The file, or that the client has it already.
    pub fn response(&self, request: &HeaderMap) -> Response {
        request_logging::set_route(self.route);
        let etag = self.headers.get(header::ETAG);
        if etag.is_some() && request.get(header::IF_NONE_MATCH) == etag {
            return self.reply(StatusCode::NOT_MODIFIED, Body::empty());
        }
        let Some(gzip) = self.gzip.clone().filter(|_| accepts_gzip(request)) else {
            return self.reply(StatusCode::OK, Body::from(self.content.clone()));
        };
        let mut response = self.reply(StatusCode::OK, Body::from(gzip));
        let coding = HeaderValue::from_static("gzip");
        response
            .headers_mut()
            .insert(header::CONTENT_ENCODING, coding);
        response
    }

    /// The same answer with other words in it: nobody keeps it.
    pub(super) fn variant(&self, status: StatusCode, content: String) -> Response {
        request_logging::set_route(self.route);
        let mut response = self.reply(status, Body::from(content));
        response.headers_mut().remove(header::ETAG);
        response
    }

    fn reply(&self, status: StatusCode, body: Body) -> Response {
        let mut response = Response::new(body);
        *response.status_mut() = status;
        *response.headers_mut() = self.headers.clone();
        response
    }
}

/// The content in gzip; none when that gains nothing.
fn gzip(content: &[u8]) -> Option<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).ok()?;
    let gzip = encoder.finish().ok()?;
    let gains = content.len() >= MIN_COMPRESSED && gzip.len() < content.len();
    gains.then(|| Bytes::from(gzip))
}
