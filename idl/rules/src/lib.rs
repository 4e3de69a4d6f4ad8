//! Reads .thrift files and checks their `vt.*` rules and `call.*` policies. One that is wrong or missing is an error with file, struct and
//! field, or service and method.
//!
//! A library, so that the build script of `idl` and the tests of its errors use the same code. It writes no Rust: that is the build
//! script's part.

mod calls;
mod rules;
mod schema;

pub use calls::CallPolicy;
pub use rules::{Check, Kind, Rules};
pub use schema::{Field, Methods, Schema, stem};
