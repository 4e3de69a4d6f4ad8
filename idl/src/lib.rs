//! The thrift interfaces of Dousheng: servers, clients and validators, generated from the files beside it.
//!
//! One module a .thrift file; [`douyin`] and [`proto`] are of the .proto file, which is the HTTP contract's. A client and a server carry [`ValidateLayer`], so that a request which breaks a rule of
//! its interface leaves no process and reaches no handler. Outcomes other than success travel as [`biz`] errors.

mod call;
mod outcome;
pub mod proto;
mod rule;
mod validate;

pub use call::{Call, CallPolicy};
pub use generated::{douyin_gen::douyin, volo_gen::*};
pub use outcome::{biz, biz_because, code, reason, refuse};
pub use rule::{RULES, Rule, RuleEntry};
pub use validate::{Validate, ValidateError, ValidateLayer, ValidateService, validate_text};

mod generated {
    #![allow(warnings, unsafe_code)]
    include!(concat!(env!("OUT_DIR"), "/volo_gen.rs"));
    include!(concat!(env!("OUT_DIR"), "/douyin_gen.rs"));
}
