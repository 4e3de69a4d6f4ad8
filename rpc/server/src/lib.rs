//! What the services share: [`DataLayer`] connects a process to its database and counters, [`fault()`] makes an error of the data layer
//! the outcome that the caller learns, [`time_left`] is how long it waits, [`counts_within`] reads counts for it, [`Authors`] knows whose a video is,
//! [`Users`] who exists, [`Sweeping`] takes away what refers to something deleted.
//!
//! No business rule of a single domain belongs here.

mod authors;
mod counts;
mod data_layer;
mod deadline;
mod fault;
mod sweeping;
mod users;

pub use authors::Authors;
pub use counts::{counts_within, user_counts};
pub use data_layer::{DataLayer, check_servers};
pub use deadline::{counts_limit, time_left};
pub use fault::fault;
pub use sweeping::{Sweeping, deletable};
pub use users::Users;
