//! How long a write may take: what its caller gave up isn't carried out later. And how long a page waits for what it can do without.

use std::time::{Duration, Instant};

/// Longest wait for counts.
const MAX_COUNTS: Duration = Duration::from_secs(1);

/// The time until a [`service::deadline`]; no limit without one, but that of the data layer.
pub fn time_left(deadline: Option<Instant>) -> Duration {
    let left = |deadline: Instant| deadline.saturating_duration_since(Instant::now());
    deadline.map_or(Duration::MAX, left)
}

/// How long a page waits for counts, which it can do without: half of the time until a [`service::deadline`], and a second at most.
pub fn counts_limit(deadline: Option<Instant>) -> Duration {
    MAX_COUNTS.min(time_left(deadline) / 2)
}
