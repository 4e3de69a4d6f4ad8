//! Reads exact counts within a timeout. Without them, a reply has the counts of the last fold.

use std::{collections::HashMap, time::Duration};

use dal::{
    DalError,
    counters::Counters,
    counts::{Counter, UserCounts},
};
use idl::base;

/// Reads `wanted` within `limit`. None while they can't be read; the cause is logged here.
pub async fn counts_within(
    counters: &Counters,
    wanted: &[Counter],
    limit: Duration,
) -> Option<HashMap<Counter, i64>> {
    let read = tokio::time::timeout(limit, counters.read(wanted)).await;
    match read.unwrap_or(Err(DalError::TimedOut)) {
        Ok(values) => Some(values),
        Err(error) => {
            tracing::warn!(%error, "exact counts not read: the reply has the counts of the last fold");
            None
        }
    }
}

/// The counts of a user, out of counters that were read.
pub fn user_counts(user_id: i64, values: &HashMap<Counter, i64>) -> base::UserCounts {
    let UserCounts {
        total_favorited,
        favorite_count,
        work_count,
        follow_count,
        follower_count,
    } = UserCounts::of(user_id, values);
    base::UserCounts {
        total_favorited,
        favorite_count,
        work_count,
        follow_count: Some(follow_count),
        follower_count: Some(follower_count),
    }
}
