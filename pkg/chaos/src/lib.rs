//! The history checker: many clients write and read over HTTP while something breaks, and afterwards every acknowledged write is
//! looked for. The programs beside it: `chaos` breaks servers and processes under load, `load` sends requests at a fixed rate.
//!
//! Test servers and processes come from `testkit`. Helpers panic: a failed helper is a failed test.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed helper is a failed test"
)]

pub mod history;
