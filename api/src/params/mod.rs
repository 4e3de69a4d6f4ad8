//! Reads the parameters of a request: from its query string, its body (form, JSON, protobuf or multipart), and two headers.
//!
//! What a route accepts is declared by the types of its parameters ([`Parameters`]).

pub mod body;
pub mod budget;
mod json;
pub mod multipart;
pub mod number;
mod parameter;
pub mod types;
mod values;

pub(crate) use parameter::parameters;
pub use parameter::{Conditional, Declared, Parameter, ParameterLocation, Parameters};
pub use values::{MAX_PARAMETERS, Params, TOKEN, bearer, in_query};
