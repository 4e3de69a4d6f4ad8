//! How a method is called: its deadline, and whether it may be repeated.

use std::time::Duration;

/// How a method is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// Limit for the whole call, all attempts together.
    pub timeout: Duration,
    /// Whether executing it twice is the same as executing it once.
    pub idempotent: bool,
}

impl Call {
    /// A call that may be executed again: when an attempt fails, another instance is tried.
    pub const fn idempotent(timeout: Duration) -> Self {
        Self {
            timeout,
            idempotent: true,
        }
    }

    /// A call that isn't repeated once it may have been executed. As long as no connection was opened, another instance
    /// is tried.
    pub const fn once(timeout: Duration) -> Self {
        Self {
            timeout,
            idempotent: false,
        }
    }
}
