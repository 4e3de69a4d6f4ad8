//! The demands of the callers that join a flight.

use std::collections::BTreeSet;

/// What a reader demands of a read: who else joins adds to it.
pub trait Demand: Send + 'static {
    /// Makes it what both demand.
    fn merge(&mut self, other: Self);
}

/// A read that is the same for everybody.
impl Demand for () {
    fn merge(&mut self, (): Self) {}
}

/// Everything that anybody asks for.
impl<T: Ord + Send + 'static> Demand for BTreeSet<T> {
    fn merge(&mut self, mut other: Self) {
        self.append(&mut other);
    }
}
