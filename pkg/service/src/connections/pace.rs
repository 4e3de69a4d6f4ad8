//! How slow a connection, and the body of a request on it, may be.

use std::time::Duration;

/// How long a connection may take for what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// From the first byte of a request to the last that is needed to begin with it; for the first one from the connection on.
    pub(crate) receive: Duration,
    /// From an answer to the first byte of the next request.
    pub(crate) idle: Duration,
    /// Without a byte of an answer being taken.
    pub(crate) send: Duration,
    /// The body of a request.
    pub(crate) body: BodyPace,
    /// From the connection on: while the first head may still come, the connection is closed for another only when no other can be.
    pub(crate) first_head: Duration,
}

/// How slowly a body may come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyPace {
    /// Until it is whole or admitted.
    pub(crate) admission: Duration,
    /// In bytes a second, from then on.
    pub(crate) rate: u64,
    /// For so long nothing need come at first.
    pub(crate) grace: Duration,
    /// What came faster than it had to is credit for a pause, of so long at max.
    pub(crate) stall: Duration,
}
