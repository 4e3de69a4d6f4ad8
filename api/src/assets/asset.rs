//! A static file: compressed once, at the start, and served as it is or in gzip.

use std::io::Write as _;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use volo_http::{body::Body, response::Response};

use crate::request_logging;

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

/// Whether the client accepts gzip (RFC 9110, section 12.5.3): by its name, or else by `*`.
pub fn accepts_gzip(headers: &HeaderMap) -> bool {
    let mut any = false;
    let values = headers.get_all(header::ACCEPT_ENCODING).iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    for coding in texts.flat_map(|text| text.split(',')) {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().strip_prefix("q=");
        let accepted = weight.is_none_or(|q| q.trim().parse().unwrap_or(0.0_f32) > 0.0);
        match name.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => return accepted,
            "*" => any = accepted,
            _ => {}
        }
    }
    any
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn gzip_is_accepted_by_its_name_or_by_a_star() {
        for (value, accepts) in [
            ("", false),
            ("identity", false),
            ("gzip", true),
            ("GZIP", true),
            ("br, gzip;q=0.5", true),
            ("gzip;q=0", false),
            ("*", true),
            ("*;q=0", false),
            ("gzip;q=0, *", false),
            ("*, gzip;q=0.0", false),
            ("gzip;q=x", false),
        ] {
            let headers = request(header::ACCEPT_ENCODING, value);
            assert_eq!(accepts_gzip(&headers), accepts, "{value}");
        }
        assert!(!accepts_gzip(&HeaderMap::new()));
    }
}
