//! RPC between real clients and servers, with an etcd for each test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod admin;
mod call;
mod kitex;
mod process;
mod retries;
mod secret;
mod support;
mod untrusted;
mod vital;
mod wire;
