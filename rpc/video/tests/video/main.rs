//! The video service: its use cases on the real database and object store, and the programs that examine videos.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod media;
mod service;
mod support;
