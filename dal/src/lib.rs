//! SQL, migrations and the choice between primary and replica: the only room that talks to MySQL.
//!
//! One module a domain, with functions that take [`Db`]. Rows on the primary are the truth; a [`Reader`] says how fresh a read must
//! be. Every statement has a deadline. No business rule, no HTTP status: a [`DalError`] says what happened.

pub mod accounts;
pub mod blocks;
pub mod comments;
pub mod counters;
pub mod counts;
mod db;
pub mod deletions;
mod entity;
mod error;
pub mod favorites;
pub mod flags;
pub mod fold;
pub mod following_feed;
pub mod follows;
mod group_commit;
mod gtid;
mod id_list;
pub mod idempotency;
pub mod jobs;
mod ledger;
mod lock;
pub mod messages;
mod migration;
mod moderations;
mod observe;
pub mod orphans;
mod pages;
mod passes;
#[cfg(test)]
mod plans;
mod pool;
pub mod position;
pub mod profiles;
pub mod reaper;
pub mod reconcile;
mod registration;
mod rotation;
mod tombstones;
pub mod uploads;
pub mod users;
pub mod videos;
mod writer_state;
mod writers;

pub use db::{Db, Server};
pub use error::DalError;
pub use id_list::Page;
pub use lock::Lock;
pub use marks::{Marks, Reader};
pub use migration::{Migrated, migrate};
pub use tombstones::Deleted;
