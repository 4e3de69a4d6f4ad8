//! Polling with a deadline, instead of a fixed sleep.

use std::time::{Duration, Instant};

/// Time between two looks.
const PAUSE: Duration = Duration::from_millis(25);

/// Runs `probe` until it gives a value; panics after `deadline`, naming `what` was waited for.
pub async fn eventually<T>(
    deadline: Duration,
    what: &str,
    mut probe: impl AsyncFnMut() -> Option<T>,
) -> T {
    let start = Instant::now();
    loop {
        // The probe itself may hang, so it shares the deadline.
        let left = deadline.saturating_sub(start.elapsed());
        match tokio::time::timeout(left.max(PAUSE), probe()).await {
            Ok(Some(value)) => return value,
            Ok(None) if start.elapsed() < deadline => tokio::time::sleep(PAUSE).await,
            _ => panic!("waited {deadline:?} in vain: {what}"),
        }
    }
}
