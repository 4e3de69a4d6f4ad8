//! How a client calls a method: its deadline, and whether a failed attempt is retried. The `call.*` annotations of the .thrift files
//! say it, and the generator implements [`Call`] from them.

use std::time::Duration;

/// How a method is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallPolicy {
    /// For the whole call, all attempts together.
    pub deadline: Duration,
    /// Whether an attempt that may have been executed is repeated at another instance. One whose connection was never opened is
    /// repeated in any case.
    pub retry: bool,
}

/// A request of a client, which knows how its method is called. The generator implements it.
pub trait Call {
    /// What the method's annotations say.
    fn policy(&self) -> CallPolicy;
}
