//! Positions of the primary with their times. The oldest one that a replica lacks tells how old the replica's data is.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use super::Replica;
use crate::gtid::Gtids;

/// Positions that are kept at most: two minutes of writes.
const MAX_POSITIONS: usize = 600;

#[derive(Default)]
pub(super) struct History(pub(super) VecDeque<(Instant, Gtids)>);

impl History {
    pub(super) fn add(&mut self, newest: Gtids) {
        if self.0.back().is_some_and(|(_, last)| *last == newest) {
            return;
        }
        // A failover has lost these commits: no replica can ever have them.
        while self.0.back().is_some_and(|(_, last)| !newest.covers(last)) {
            self.0.pop_back();
        }
        if self.0.len() >= MAX_POSITIONS {
            // Drops the newest, not the oldest: the age of a replica depends on the oldest position that it lacks.
            self.0.pop_back();
        }
        self.0.push_back((Instant::now(), newest));
    }

    /// How long ago the primary was at the oldest position that `applied` doesn't cover; zero if it covers all.
    pub(super) fn age(&self, applied: Option<&Gtids>) -> Duration {
        let lacks = |gtids: &Gtids| !applied.is_some_and(|applied| applied.covers(gtids));
        let first = self.0.iter().find(|(_, gtids)| lacks(gtids));
        first.map_or(Duration::ZERO, |(at, _)| at.elapsed())
    }

    /// Drops the positions that all replicas have reached.
    pub(super) fn prune(&mut self, replicas: &[Arc<Replica>]) {
        while self.0.len() > 1
            && self.0.front().is_some_and(|(_, gtids)| {
                replicas.iter().all(|replica| {
                    let state = replica.state();
                    state.applied.as_ref().is_some_and(|has| has.covers(gtids))
                })
            })
        {
            self.0.pop_front();
        }
    }
}
