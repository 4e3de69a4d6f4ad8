//! The timeouts and minimum rates of a connection and of a request body.

use std::time::Duration;

/// The timeouts of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeouts {
    /// From the first byte of a request until its head is complete (HTTP) or it is whole (thrift). For the first request it begins when
    /// the connection opens.
    pub(crate) receive: Duration,
    /// From an answer until the first byte of the next request.
    pub(crate) idle: Duration,
    /// How long the other side may take no byte of an answer.
    pub(crate) send: Duration,
    /// For the body of a request.
    pub(crate) body: BodyRate,
    /// How long a new connection is protected while its first head may still come: it is evicted only if no other connection can be.
    pub(crate) first_head: Duration,
    /// How long a connection is protected after an answer, because the next request may be on the way.
    pub(crate) recent: Duration,
}

/// The minimum rate of a body, and its timeouts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyRate {
    /// How long it may take until it is whole or the request is admitted.
    pub(crate) admission: Duration,
    /// Minimum rate after that, in bytes a second.
    pub(crate) rate: u64,
    /// How long the client may send nothing at first.
    pub(crate) grace: Duration,
    /// What came faster than it had to is credit for a pause, of this length at most.
    pub(crate) stall: Duration,
}
