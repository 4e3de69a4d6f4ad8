//! What is recorded of requests, and where log lines go.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod metrics;
mod output;
mod request;
