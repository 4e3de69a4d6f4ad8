//! Replies in gzip for clients that take it: of what is text, and large enough to gain by it. Uploads come as they are.

use std::io::Write as _;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::{HeaderMap, HeaderValue, header};
use http_body_util::BodyExt as _;
use volo_http::{body::Body, response::Response};

/// Below this a reply goes out as it is, in bytes: it fits into a packet either way.
const SMALLEST: u64 = 1024;

/// Whether the client takes gzip (RFC 9110, section 12.5.3): by its name, or else by `*`.
pub fn takes_gzip(headers: &HeaderMap) -> bool {
    let mut any = false;
    let values = headers.get_all(header::ACCEPT_ENCODING).iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    for coding in texts.flat_map(|text| text.split(',')) {
        let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
        let weight = weight.trim().strip_prefix("q=");
        let wanted = weight.is_none_or(|q| q.trim().parse().unwrap_or(0.0_f32) > 0.0);
        match name.trim().to_ascii_lowercase().as_str() {
            "gzip" | "x-gzip" => return wanted,
            "*" => any = wanted,
            _ => {}
        }
    }
    any
}

/// Compresses the reply, if that is of use and `wanted`; says of any text that it depends on what the client takes.
pub async fn compress(response: Response, wanted: bool) -> Response {
    if !is_text(response.headers()) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let vary = HeaderValue::from_static("Accept-Encoding");
    parts.headers.append(header::VARY, vary);
    let large = http_body::Body::size_hint(&body)
        .exact()
        .is_some_and(|size| size >= SMALLEST);
    if !(wanted && large) {
        return Response::from_parts(parts, body);
    }
    // It lies in memory, so this neither waits nor fails.
    let Ok(plain) = body.collect().await else {
        return Response::from_parts(parts, Body::empty());
    };
    let plain = plain.to_bytes();
    match gzip(&plain) {
        Ok(small) => {
            let coding = HeaderValue::from_static("gzip");
            parts.headers.insert(header::CONTENT_ENCODING, coding);
            Response::from_parts(parts, Body::from(small))
        }
        Err(_) => Response::from_parts(parts, Body::from(plain)),
    }
}

fn is_text(headers: &HeaderMap) -> bool {
    let content_type = headers.get(header::CONTENT_TYPE);
    content_type
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.contains("charset=utf-8"))
}

/// At the fastest level: a page of 30 films takes a fraction of a millisecond, and higher ones gain little on JSON.
fn gzip(plain: &[u8]) -> std::io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(plain.len() / 4), Compression::fast());
    encoder.write_all(plain)?;
    encoder.finish().map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gzip_is_taken_by_its_name_or_by_a_star() {
        for (header, takes) in [
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
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, header.parse().unwrap());
            assert_eq!(takes_gzip(&headers), takes, "{header}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
