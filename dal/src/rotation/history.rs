//! Where the primary was, and when: what a replica lacks of it tells how old its data is.

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use super::Replica;
use crate::gtid::Gtids;

/// Positions of the primary that are remembered at most: two minutes of writes.
const MAX_POSITIONS: usize = 600;

#[derive(Default)]
pub(super) struct History(pub(super) VecDeque<(Instant, Gtids)>);

impl History {
    pub(super) fn add(&mut self, newest: Gtids) {
        if self.0.back().is_some_and(|(_, last)| *last == newest) {
            return;
        }
        // What a failover has lost, nobody waits for.
        while self.0.back().is_some_and(|(_, last)| !newest.covers(last)) {
            self.0.pop_back();
        }
        if self.0.len() >= MAX_POSITIONS {
            // Whoever lacks the oldest is judged by that one.
            self.0.pop_back();
        }
        self.0.push_back((Instant::now(), newest));
    }

    /// How long ago the primary had something that `applied` lacks.
    pub(super) fn age(&self, applied: Option<&Gtids>) -> Duration {
        let lacks = |gtids: &Gtids| !applied.is_some_and(|applied| applied.covers(gtids));
        let first = self.0.iter().find(|(_, gtids)| lacks(gtids));
        first.map_or(Duration::ZERO, |(at, _)| at.elapsed())
    }

    /// Drops what all have.
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
