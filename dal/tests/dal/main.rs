//! The queries on real servers: what they return, what they refuse, and where they read.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

mod accounts;
mod comment_batches;
mod comments;
mod counters;
mod counters_faults;
mod counters_model;
mod deletions;
mod fail_together;
mod favorites;
mod fixture;
mod fold;
mod follows;
mod given_up;
mod grown;
mod idempotency;
mod idle;
mod jobs;
mod marked;
mod messages;
mod model;
mod overload;
mod profiles;
mod reconcile;
mod replicas;
mod routing;
mod schema;
mod stage;
mod tls;
mod uploads;
mod users;
mod videos;
