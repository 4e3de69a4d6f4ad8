//! A client for Redis and Redis Cluster: every command has a deadline, scripts run in batches, and leases tell readers whether they may
//! trust what they find ([`leases`]).
//!
//! After a failure the client is suspended: commands fail at once until a background probe gets an answer. Before the client is used
//! again, it deletes the keys whose state is unknown. The client doesn't know what the keys mean.

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
