//! The video service: its use cases on the real database and object store, and the programs that look at videos.
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
