//! Static files that lie in the program: the web page at `/`, the API document for readers at `/docs`, `/openapi.json`,
//! and the messages of protobuf under `/proto/`.

mod asset;
mod docs;
mod web;

pub use asset::Asset;
pub use web::Document;

/// All files, for an object store that browsers reach at `public_endpoint`.
pub fn assets(public_endpoint: &str) -> Vec<Asset> {
    let mut assets = docs::assets();
    assets.extend(web::assets(public_endpoint));
    assets.push(Asset::new(
        "/proto/douyin.proto".to_owned(),
        "/proto/",
        idl::proto::FILE.as_bytes(),
        "text/plain; charset=utf-8",
    ));
    assets
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, header};
    use volo_http::response::Response;

    use super::*;

    #[test]
    fn a_text_of_some_length_is_compressed_once_and_its_length_is_known() {
        let assets = docs::assets();
        let document = assets.iter().find(|asset| asset.path == "/openapi.json");
        let document = document.unwrap();
        let plain = document.response(&HeaderMap::new());
        assert!(!plain.headers().contains_key(header::CONTENT_ENCODING));
        let packed = document.response(&HeaderMap::from_iter([(
            header::ACCEPT_ENCODING,
            "gzip".parse().unwrap(),
        )]));
        assert_eq!(packed.headers()[header::CONTENT_ENCODING], "gzip");
        let size = |response: &Response| http_body::Body::size_hint(response.body()).exact();
        assert!(size(&packed).unwrap() * 4 < size(&plain).unwrap());
        for response in [plain, packed] {
            assert_eq!(response.headers()[header::VARY], "Accept-Encoding");
        }
    }
}
