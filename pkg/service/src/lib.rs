//! Start-up and graceful shutdown of a process, and the middleware of every RPC on both ends.
//!
//! The main of a service is [`run`] with [`Process::serve_rpc`]. The client of a service is built by [`Process::client`], which takes
//! deadlines and retries from the .thrift file. [`Process::check`] adds a dependency to the readiness report. Every process has an admin
//! port. This crate knows no domain.

mod admin;
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
mod reply;
mod retry;
mod secret;
mod server;
mod signals;
mod strict;

pub use admin::{ADMIN_PATHS, Admin, HEALTH_PATH};
pub use client::Clients;
pub use connections::{Admission, BodyError, RequestBody};
use connections::{Closer, Listener};
pub use discard::{Answer, BodyState, Discarder, RecoverableBody, content_length};
pub use error::{RpcError, internal, overloaded, timed_out, unavailable};
pub use process::{Process, run};
pub use reader::{deadline, reader, reading};
pub use readiness::{Finding, Need, Report, State};
pub use registry::Registry;
pub use server::{Running, StartError, start};

/// Any error: an error that ends a process is only printed.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Names of the metadata of a call, in both directions.
mod header {
    /// The request id. Persistent: every process that works on the request gets it.
    pub(crate) const REQUEST_ID: &str = "REQUEST_ID";
    /// Who reads and what they must see. Persistent.
    pub(crate) const READER: &str = "READER";
    /// The proof of the caller. Transient: only for the process that is called. A Kitex client sets it by
    /// `metainfo.WithValue(ctx, "PROOF", …)`.
    pub(crate) const PROOF: &str = "PROOF";
    /// The secret itself, which the version before the proofs sent. Transient.
    pub(crate) const SECRET: &str = "SECRET";
    /// The trace that the call belongs to. Transient.
    pub(crate) const TRACEPARENT: &str = "TRACEPARENT";
    /// How many milliseconds the caller still waits. Transient. Processes of other versions know it by this value.
    pub(crate) const TIMEOUT_MS: &str = "PATIENCE";
    /// The cost of the call. Backward.
    pub(crate) const COST: &str = "COST";
}
