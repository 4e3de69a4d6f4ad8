//! Tests of the helpers, of the scripts, and of the rules for the source tree.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod contributing;
mod databases;
mod kit;
mod partition;
mod rooms;
mod scripts;
