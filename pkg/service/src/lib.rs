//! Start-up and graceful shutdown of a process, and the middleware of every RPC on both ends.
//!
//! The main of a service is [`run`] with [`Process::serve_rpc`]. The client of a service is built by [`Process::client`], which takes
//! deadlines and retries from the .thrift file. [`Process::check`] adds a dependency to the readiness report. Every process has an admin
//! port. This crate knows no domain.

mod admin;
mod attempts;
mod budget;
mod client;
mod connections;
mod descriptors;
mod discard;
mod error;
mod inbound;
mod peers;
mod process;
mod reader;
mod readiness;
mod secret;
mod server;
mod signals;

pub use admin::{ADMIN_PATHS, Admin, HEALTH_PATH};
pub use client::Clients;
pub use connections::{Admission, BodyError, RequestBody};
use connections::{Closer, Listener};
pub use discard::{Answer, Discarder, Lending, LentBody, content_length};
pub use error::{RpcError, internal, overloaded, timed_out, unavailable};
pub use process::{Process, run};
pub use reader::{deadline, reader, reading};
pub use readiness::{Finding, Need, Report, State};
pub use registry::Registry;
pub use server::{Running, StartError, start};

/// Any error: what ends a process is only ever shown.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Names of what travels beside a call, in both directions.
mod header {
    /// Persistent: every process that works on the request gets it.
    pub(crate) const REQUEST_ID: &str = "REQUEST_ID";
    /// Persistent: who reads, and what they must see.
    pub(crate) const READER: &str = "READER";
    /// Transient, for the process that is called alone: the proof that it is one of ours who calls. A Kitex client puts it there by
    /// `metainfo.WithValue(ctx, "PROOF", …)`.
    pub(crate) const PROOF: &str = "PROOF";
    /// Likewise, the secret itself: what the version before the proofs sent.
    pub(crate) const SECRET: &str = "SECRET";
    /// Transient: what the process that is called does is part of this trace.
    pub(crate) const TRACEPARENT: &str = "TRACEPARENT";
    /// Transient: for how many milliseconds more the caller waits.
    pub(crate) const PATIENCE: &str = "PATIENCE";
    /// Backward: what the call cost.
    pub(crate) const COST: &str = "COST";
}
