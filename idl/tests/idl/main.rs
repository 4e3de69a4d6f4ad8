//! The annotations of the interfaces: how rules and call policies are generated, refused and kept.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

// Generated code finds these in the root of its crate.
use idl::{Rule, Validate, ValidateError};

mod calls;
mod every_rule;
mod refusals;
mod rules;
mod texts;
