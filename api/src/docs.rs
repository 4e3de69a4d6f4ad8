//! The contract for readers: `/openapi.json` for machines, `/docs` for people. All of it lies in the program: the page
//! asks no other host, and its policy forbids it to.

use http::{HeaderValue, header};
use volo_http::{body::Body, response::Response};

use crate::{openapi, request_logging};

/// Where the page may load from, and who may frame it.
const POLICY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// Something that is served as it lies here.
#[derive(Clone, Copy)]
pub struct Asset {
    /// Where.
    pub path: &'static str,
    content_type: &'static str,
    content: fn() -> &'static str,
}

/// Every path here.
pub const ASSETS: [Asset; 6] = [
    Asset {
        path: "/openapi.json",
        content_type: "application/json; charset=utf-8",
        content: openapi::json,
    },
    Asset {
        path: "/docs",
        content_type: "text/html; charset=utf-8",
        content: || include_str!("../web/docs/docs.html"),
    },
    Asset {
        path: "/docs/",
        content_type: "text/html; charset=utf-8",
        content: || include_str!("../web/docs/docs.html"),
    },
    Asset {
        path: "/docs/docs.js",
        content_type: "text/javascript; charset=utf-8",
        content: || include_str!("../web/docs/docs.js"),
    },
    Asset {
        path: "/docs/docs.css",
        content_type: "text/css; charset=utf-8",
        content: || include_str!("../web/docs/docs.css"),
    },
    Asset {
        path: "/docs/docs.svg",
        content_type: "image/svg+xml; charset=utf-8",
        content: || include_str!("../web/docs/docs.svg"),
    },
];

impl Asset {
    /// Without a validator: a page of another version must not be taken for this one.
    pub fn answer(self) -> Response {
        request_logging::set_route(self.path);
        let mut response = Response::new(Body::from((self.content)()));
        for (name, value) in [
            (header::CONTENT_TYPE, self.content_type),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::CACHE_CONTROL, "no-store"),
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::REFERRER_POLICY, "no-referrer"),
        ] {
            let value = HeaderValue::from_static(value);
            response.headers_mut().insert(name, value);
        }
        response
    }
}
