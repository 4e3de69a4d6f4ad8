//! The client against real Redis servers.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod cluster;
mod deletions;
mod password;
mod server_run;
mod tls;
