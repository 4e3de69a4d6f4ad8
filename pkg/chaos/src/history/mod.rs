//! A history of requests, checked against a reference model.
//!
//! A [`Workload`] likes, comments and reads over HTTP, many clients at once. The [`Reference`] records each request with its start, its
//! end and its answer. The [`Verdict`] compares it with the rows in the database and with the counts that are shown. A request without an
//! answer may have happened, even later than requests that were sent after it. The caller injects the faults.

mod fixture;
mod reference;
mod verdict;
mod workload;

pub use fixture::{Fixture, PublishedVideo, Size};
pub use reference::{Answer, Operation, Reference, Violation};
pub use verdict::Verdict;
pub use workload::Workload;
