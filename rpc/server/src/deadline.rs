//! Deadlines: a write ends at its caller's deadline, so work that was given up is never carried out later. Optional counts get half of the
//! remaining time.

use std::time::{Duration, Instant};

/// Longest wait for counts.
const MAX_COUNTS_WAIT: Duration = Duration::from_secs(1);

/// The time until a [`service::deadline`]; no limit without one, but that of the data layer.
pub fn time_left(deadline: Option<Instant>) -> Duration {
    let left = |deadline: Instant| deadline.saturating_duration_since(Instant::now());
    deadline.map_or(Duration::MAX, left)
}

/// How long a page waits for counts, which it can do without: half of the time until a [`service::deadline`], and a second at most.
pub fn counts_timeout(deadline: Option<Instant>) -> Duration {
    MAX_COUNTS_WAIT.min(time_left(deadline) / 2)
}
