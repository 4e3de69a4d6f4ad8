//! The history checker: many clients write and read over HTTP while something breaks, then every acknowledged write is looked for.
//!
//! Two programs are beside it: `chaos` injects faults under load, `load` sends requests at a fixed rate. Test servers and processes come
//! from `testkit`. Helpers panic: a failed helper is a failed test.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed helper is a failed test"
)]

pub mod history;
