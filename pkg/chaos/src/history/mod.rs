//! A workload's history against a reference: what many users did over HTTP at once, and whether all of it is still true.
//!
//! A [`Workload`] likes, comments and looks; the [`Reference`] notes each request with its start, its end and its answer, and the
//! [`Verdict`] compares it with the rows and with the counts that are shown. An operation without an answer may or may not
//! have happened, even later than what was asked after it. What breaks meanwhile is the caller's affair.

mod fixture;
mod reference;
mod verdict;
mod workload;

pub use fixture::{Film, Fixture, Size};
pub use reference::{Answer, Comment, Operation, Pair, Presence, Reference, Wrong};
pub use verdict::Verdict;
pub use workload::Workload;
