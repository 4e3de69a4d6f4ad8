//! Chooses which connections are closed for new ones when the limit is reached.
//!
//! The client with the most unadmitted connections loses its least admitted one first, so a flood evicts itself. Connections whose request
//! was refused come before all others. A few that were answered a moment ago don't count: a browser must not lose to a crowd of which each
//! member holds one. This is arithmetic only: no I/O.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, VecDeque},
};

use super::activity::{Candidate, Rank};

/// Recently answered connections of a client that don't count. A browser opens 6 to a server, and some close while others open.
const FEW_RECENT: usize = 8;

/// The next `max` connections to evict, in order, of the open ones with their clients.
pub(super) fn plan<T>(
    open: impl Iterator<Item = (u64, Candidate, T)>,
    max: usize,
) -> VecDeque<(Candidate, T)> {
    let mut clients: HashMap<u64, Vec<(Candidate, T)>> = HashMap::new();
    for (client, candidate, connection) in open {
        clients
            .entry(client)
            .or_default()
            .push((candidate, connection));
    }
    let mut turns = BinaryHeap::with_capacity(clients.len());
    for (client, connections) in &mut clients {
        // The last one is evicted first.
        connections.sort_unstable_by_key(|(candidate, _)| Reverse(*candidate));
        turns.extend(turn(*client, connections));
    }
    let mut next = VecDeque::with_capacity(max);
    while next.len() < max
        && let Some((.., client)) = turns.pop()
        && let Some(connections) = clients.get_mut(&client)
    {
        next.extend(connections.pop());
        turns.extend(turn(client, connections));
    }
    next
}

/// The order of clients, the greatest first: a client with a refused body, then the number of connections that count, then the least
/// admitted connection.
type Turn = (bool, usize, Reverse<Candidate>, u64);

fn turn<T>(client: u64, connections: &[(Candidate, T)]) -> Option<Turn> {
    let (first, _) = connections.last()?;
    let refused = first.rank == Rank::Discarding;
    let recent = connections
        .iter()
        .filter(|(candidate, _)| candidate.rank == Rank::Recent);
    let counted = connections.len() - recent.count().min(FEW_RECENT);
    Some((refused, counted, Reverse(*first), client))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::Instant;

    use super::*;

    /// The evicted connections, in order. Connections are (client, rank), each opened a second after the one before it.
    fn evict(connections: &[(u64, Rank)], max: usize) -> Vec<usize> {
        let start = Instant::now();
        let open = connections.iter().zip(0..).map(|((client, rank), n)| {
            let since = start + Duration::from_secs(n);
            (*client, Candidate::for_test(*rank, since), n as usize)
        });
        let next = plan(open, max);
        next.into_iter().map(|(_, n)| n).collect()
    }

    #[test]
    fn the_least_admitted_goes_first_and_of_those_the_oldest() {
        use Rank::{Counted, Discarding, Idle, Unadmitted};
        let one = [
            (1, Counted),
            (1, Unadmitted),
            (1, Idle),
            (1, Unadmitted),
            (1, Discarding),
            (1, Idle),
        ];
        assert_eq!(evict(&one, 10), [4, 2, 5, 1, 3, 0]);
        assert_eq!(evict(&one, 2), [4, 2]);
        assert!(evict(&[], 2).is_empty());
    }

    #[test]
    fn who_holds_the_most_loses_first_until_others_hold_as_much() {
        use Rank::{Idle, Unadmitted};
        let open = [
            (1, Idle),
            (2, Unadmitted),
            (3, Unadmitted),
            (2, Unadmitted),
            (2, Unadmitted),
            (3, Unadmitted),
        ];
        // One of 2; then it holds as many as 3, whose first is older; at last all hold one, and the idle one is the least admitted.
        assert_eq!(evict(&open, 10), [1, 2, 3, 0, 4, 5]);
    }

    #[test]
    fn a_few_recently_answered_connections_stay_though_others_hold_one_each() {
        use Rank::{Recent, Unadmitted};
        let mut open = vec![(1, Recent); FEW_RECENT];
        open.extend((2..5).map(|client| (client, Unadmitted)));
        assert_eq!(evict(&open, 4), [8, 9, 10, 0]);
        // A client with many of them is the first.
        open.extend([(1, Recent); 3]);
        assert_eq!(evict(&open, 6), [0, 1, 8, 9, 10, 2]);
    }

    #[test]
    fn a_refused_body_goes_first_even_of_who_holds_little() {
        use Rank::{Discarding, Idle};
        let open = [
            (1, Idle),
            (1, Idle),
            (2, Discarding),
            (3, Discarding),
            (3, Idle),
        ];
        assert_eq!(evict(&open, 3), [3, 2, 0]);
    }
}
