//! The HTTP contract, end to end: a client like the app's against the real processes, databases and stores.
//!
//! One binary for all themes, so that those which need no system of their own share one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod account_management;
mod accounts;
mod broken_uploads;
mod browser;
mod budgets;
mod chat;
mod comments;
mod compression;
mod contract;
mod cors;
mod counts;
mod deletions;
mod discarding;
mod docs;
mod etcd_outage;
mod faulty;
mod feed;
mod following_feed;
mod follows;
mod forms;
mod http_status;
mod idempotency;
mod instance_loss;
mod late_replica;
mod likes;
mod limits;
mod load;
mod long_lists;
mod main_flow;
mod matrix;
mod methods;
mod model;
mod numbers;
mod one_video;
mod operations;
mod ownership;
mod pages;
mod parameters;
mod picture_slots;
mod primary_away;
mod private_reads;
mod profile;
mod protobuf;
mod publish;
mod raw;
mod readiness;
mod refusals;
mod replies;
mod restored;
mod revoked_writes;
mod scene;
mod secrets;
mod shapes;
mod slow_bodies;
mod sockets;
mod store;
mod tls;
mod tokens;
mod traces;
mod transcoders;
mod upload_slots;

use testkit::{Builder, Lent, SharedSystem, System};

/// `upload.max_bytes` of the systems here, in bytes: small enough to be exceeded at no cost, and more than two parts.
const MAX_UPLOAD: usize = 12 << 20;

/// What the systems here have in common.
fn system_builder() -> Builder {
    System::builder().set("upload.max_bytes", MAX_UPLOAD)
}

/// The system of the tests that look only at what they made themselves.
async fn shared_system() -> Lent {
    static SYSTEM: SharedSystem = SharedSystem::new();
    SYSTEM.get(async || system_builder().start().await).await
}
