//! The helpers of all tests, and the rules of the tree.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod kit;
mod rooms;
mod scripts;
