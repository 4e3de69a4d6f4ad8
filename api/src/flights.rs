//! The shared reads of a process: what is under way, and how a request joins the next.

use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
    sync::{Arc, OnceLock},
    time::Duration,
};

use idl::base::{Code, UserCounts};
use marks::{Consistency, Subject};
use singleflight::{Demand, Ended, Singleflight};
use telemetry::{RequestId, cost};
use tracing::Instrument as _;

use crate::{
    error::ApiError,
    flags::{FlagDemand, Flags, Group},
    objects::{CommentPage, FeedPage, VideoPage},
    rendered::SharedPage,
};

/// A flight that takes longer no longer holds up the next: a page takes a few milliseconds, and people notice a quarter of a second.
const MAX_FLIGHT_WAIT: Duration = Duration::from_millis(250);

/// The viewers that a page is read for.
pub type Viewers = BTreeSet<i64>;
/// The viewer without a token: nobody has this id, so no mark is ever set for it.
pub const ANONYMOUS: i64 = 0;
/// What a flight gives to all who joined it.
type Shared<T> = Arc<SharedPage<T>>;

/// The shared reads of this process.
pub struct Flights {
    /// Pages of the feed, by the time they begin before.
    pub feed: Singleflight<Option<i64>, Viewers, Shared<FeedPage>>,
    /// Lists of works, by author, cursor, and whether it is the author who asks.
    pub works: Singleflight<(i64, Option<i64>, bool), Viewers, Shared<VideoPage>>,
    /// Lists of comments, by video and cursor.
    pub comments: Singleflight<(i64, Option<i64>), Viewers, Shared<CommentPage>>,
    /// The marks of all subjects that anybody asks for at that moment.
    pub marks: Singleflight<(), BTreeSet<Subject>, Arc<HashMap<Subject, Consistency>>>,
    /// What pages show of their viewers, by group of viewers.
    pub flags: Singleflight<Group, FlagDemand, Arc<HashMap<i64, Flags>>>,
    /// Exact counts of users: of all that anybody asks for at that moment.
    pub user_counts: Singleflight<(), BTreeSet<i64>, Arc<HashMap<i64, UserCounts>>>,
}

impl Flights {
    /// None are under way.
    pub fn new() -> Self {
        Self {
            feed: Singleflight::new(MAX_FLIGHT_WAIT),
            works: Singleflight::new(MAX_FLIGHT_WAIT),
            comments: Singleflight::new(MAX_FLIGHT_WAIT),
            marks: Singleflight::new(MAX_FLIGHT_WAIT),
            flags: Singleflight::new(MAX_FLIGHT_WAIT),
            user_counts: Singleflight::new(MAX_FLIGHT_WAIT),
        }
    }
}

impl Default for Flights {
    fn default() -> Self {
        Self::new()
    }
}

/// Joins the next flight of `key`. It works under the request id of whoever joined first, who is also charged with its cost.
///
/// # Errors
/// The flight came to no result.
pub async fn join<K, D, T, F, R>(
    flights: &Singleflight<K, D, T>,
    key: K,
    demand: D,
    read: F,
) -> Result<T, ApiError>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    D: Demand,
    T: Clone + Send + Sync + 'static,
    F: FnOnce(D) -> R + Send + 'static,
    R: Future<Output = T> + Send + 'static,
{
    let spent = Arc::new(OnceLock::new());
    let (of_flight, id, span) = (
        spent.clone(),
        RequestId::current(),
        tracing::Span::current(),
    );
    let read = move |demand| {
        let work = async move {
            let (result, cost) = cost::scope(read(demand)).await;
            // Set once: a flight has one result.
            let _ = of_flight.set(cost);
            result
        };
        RequestId::carry(id, work).instrument(span)
    };
    let result = flights.join(key, demand, read).await;
    if let Some(cost) = spent.get() {
        cost::add(*cost);
    }
    result.map_err(|Ended| ApiError::new(Code::INTERNAL))
}
