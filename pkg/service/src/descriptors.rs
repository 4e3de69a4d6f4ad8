//! The limit of open files and sockets of this process.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit to the hard limit. The soft limit is for programs that use `select`; ours don't.
pub(crate) fn raise() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current == maximum {
        return;
    }
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, ?current, "the limit of open files stays as it is");
    }
}

/// The limit as it is now.
pub(crate) fn limit() -> u32 {
    let Rlimit { current, .. } = getrlimit(Resource::Nofile);
    // None: unlimited.
    current.map_or(u32::MAX, |limit| u32::try_from(limit).unwrap_or(u32::MAX))
}
