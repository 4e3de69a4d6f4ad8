//! How long a write may take: what its caller gave up isn't carried out later.

use std::time::{Duration, Instant};

/// The time until a [`service::deadline`]; no limit without one, but that of the data layer.
pub fn time_left(deadline: Option<Instant>) -> Duration {
    let left = |deadline: Instant| deadline.saturating_duration_since(Instant::now());
    deadline.map_or(Duration::MAX, left)
}
