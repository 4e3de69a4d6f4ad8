//! Real servers, databases and processes for tests. What a test starts here belongs to it and ends with it.
//!
//! A value owns what it made (database, bucket, process) and removes it on drop, also when the test panics. The next run removes what a
//! killed run left. Helpers panic with a message that says what to do, because only tests use them.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed helper is a failed test"
)]

mod bucket;
mod certificates;
mod client;
mod database;
mod engine;
pub mod environment;
mod etcd;
mod etcd_cluster;
mod headroom;
pub mod media;
mod metrics;
mod mp4;
mod names;
mod own_server;
mod partition;
mod plain_database;
mod ports;
mod process;
mod redis;
mod redis_cluster;
mod replicated;
mod shared;
mod system;
mod tcp_proxy;
mod tls_database;
mod tls_proxy;
mod traces;
mod tripwire;
mod wait;

pub use bucket::Bucket;
pub use certificates::Certificates;
pub use client::{Account, Client, Reply};
pub use database::{Database, Held};
pub use engine::Engine;
pub use etcd::Etcd;
pub use etcd_cluster::EtcdCluster;
pub use metrics::Metrics;
pub use partition::NetworkPartition;
pub use plain_database::PlainDatabase;
pub use ports::free_port;
pub use process::{Process, scratch_directory};
pub use redis::{Redis, Refusal};
pub use redis_cluster::RedisCluster;
pub use replicated::Replicated;
pub use shared::{Lent, SharedSystem};
pub use system::{Builder, FOLD_PERIOD, JWT_KEYS, RPC_SECRET, System, token_of};
pub use tcp_proxy::TcpProxy;
pub use tls_database::TlsDatabase;
pub use tls_proxy::TlsProxy;
pub use traces::{TraceSpan, Traces};
pub use tripwire::Tripwire;
pub use wait::eventually;
