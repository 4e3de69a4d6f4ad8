//! What every RPC goes through, between real clients, servers and an etcd of each test's own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod admin;
mod call;
mod process;
mod retries;
mod secret;
mod support;
mod vital;
