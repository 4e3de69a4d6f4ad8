//! Reads .thrift files and checks their `vt.*` rules. A rule that makes no sense is an error with file, struct and field.
//!
//! A library, so that the build script of `idl` and the tests of its errors use the same code. It writes no Rust: that is the build
//! script's part.

mod rules;
mod schema;

pub use rules::{Check, Kind, Rules};
pub use schema::{Field, Schema, stem};
