//! A client of Redis, or of a Redis Cluster: every command has a deadline, scripts run in batches, and leases tell readers whether
//! what they find may be trusted ([`leases`]).
//!
//! After a failure the client is suspended: commands fail at once until a probe in the background was answered. Keys whose state is
//! unknown since then are deleted before the client is used again. What the keys mean is the affair of their owners.

mod client;
mod error;
mod keys;
pub mod leases;
mod pending;
mod url;

pub use client::{Client, Stats};
pub use error::{BadUrl, Unavailable};
pub use fred::{
    bytes::Bytes,
    interfaces::FredResult as Reply,
    types::{Value, scripts::Script},
};
pub use keys::{KeyGroup, ScriptCall};
