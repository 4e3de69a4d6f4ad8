//! The object store, on a real server.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod objects;
mod signed_urls;
mod support;
mod tls;
mod uploads;
