//! What the services share.
//!
//! [`DataLayer`] connects a process to its database and counters. [`to_server_error`] maps an error of the data layer to an outcome.
//! [`time_left`] is the time until the deadline. [`counts_within`] reads exact counts. [`Authors`] caches the authors of videos, [`Users`]
//! which users exist. [`Sweep`] removes rows that refer to something deleted.
//!
//! No business rule of a single domain belongs here.

mod authors;
mod counts;
mod data_layer;
mod deadline;
mod server_error;
mod sweeping;
mod users;

pub use authors::Authors;
pub use counts::{counts_within, user_counts};
pub use data_layer::{DataLayer, check_servers};
pub use deadline::{counts_timeout, time_left};
pub use server_error::to_server_error;
pub use sweeping::{Sweep, deletable};
pub use users::Users;
