//! The connections of a server, whatever is spoken on them: how many there are, how slow they may be, and how they end.
//!
//! The frameworks' own accept loops bound neither; so this one stands in their place and hands each connection to what
//! speaks HTTP ([`http`]) or thrift ([`rpc`]). At most so many are open; one more takes a place from whoever holds the most without
//! being admitted ([`eviction`]), and waits when all work. No shortage of file descriptors ends the loop or makes it spin.

mod activity;
mod admission;
mod body;
mod eviction;
pub(crate) mod http;
mod listener;
mod pace;
mod paced;
pub(crate) mod rpc;

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use settings::{Network, Settings, SettingsError, client_network};
use telemetry::metrics;
use tokio::{
    net::TcpStream,
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};

use activity::{Activity, Candidate};
pub use admission::Admission;
pub use body::{BodyError, RequestBody};
pub use listener::{Closer, Listener};
use pace::{BodyPace, Pace};

/// What the metrics call the bounds.
const CONNECTIONS: &str = "connections";
const CONNECTIONS_PER_ADDRESS: &str = "connections_per_address";

/// How slow a connection may be. A browser that connects ahead, and a client that keeps connections, come again when one is gone.
const PACE: Pace = Pace {
    receive: Duration::from_secs(10),
    idle: Duration::from_secs(75),
    send: Duration::from_secs(20),
    // The settings say what holds for HTTP; of thrift nobody sees a body before it is whole.
    body: BodyPace {
        admission: Duration::from_secs(10),
        rate: 8 << 10,
        grace: Duration::from_secs(10),
        stall: Duration::from_secs(20),
    },
    first_head: Duration::from_secs(1),
};
/// A server that stops goes on answering for so long on the connections that it has, each answer asking the caller to take
/// another: so none is closed just when it is used.
const DRAIN_NOTICE: Duration = Duration::from_secs(2);
/// And for so long it waits for answers that are under way.
const DRAIN: Duration = Duration::from_secs(28);

/// While all connections work, for one that doesn't any more.
const RECHECK_INTERVAL: Duration = Duration::from_millis(50);
/// By then a connection that was cut has given up its place; on a busy machine not at once.
const EVICTION_TIMEOUT: Duration = Duration::from_secs(1);
/// So many to be cut are found at once, and that finding holds for so long: a flood of connections doesn't have all of them looked
/// through for each.
const PLAN_SIZE: usize = 32;
const PLAN_TTL: Duration = Duration::from_millis(100);

/// The open connections of one server.
pub(crate) struct Connections {
    max: u32,
    permits: Arc<Semaphore>,
    open: Mutex<HashMap<u64, Arc<Activity>>>,
    draining: Arc<AtomicBool>,
    closing: Notify,
    pace: Pace,
    /// Whose connections are those of many clients.
    trusted_proxies: Vec<Network>,
    /// Connections that a client may have, and has; 0: nobody counts.
    max_per_client: u32,
    counts: Mutex<HashMap<u64, u32>>,
}

/// One that has just been accepted.
pub(crate) struct Connection {
    stream: TcpStream,
    open: Open,
}

/// A connection's place among all, for as long as it is open.
struct Open {
    peer: SocketAddr,
    activity: Arc<Activity>,
    all: Arc<Connections>,
    number: u64,
    _permit: OwnedSemaphorePermit,
}

impl Connections {
    /// At most `most`, and no more than half of what the system lets this process open.
    pub(crate) fn new(max: u32) -> Arc<Self> {
        Self::with(max, PACE, Vec::new(), 0)
    }

    /// As the settings of the HTTP server have them.
    ///
    /// # Errors
    /// A setting can't be used.
    pub(crate) fn for_http(settings: &Settings) -> Result<Arc<Self>, SettingsError> {
        let http = &settings.http;
        let body = BodyPace {
            admission: Duration::from_secs(http.admission_timeout_s),
            rate: http.min_body_rate,
            grace: Duration::from_secs(http.min_body_rate_after_s),
            stall: Duration::from_secs(settings.upload.stall_timeout_s),
        };
        let proxies = settings.trusted_proxies()?;
        let pace = Pace { body, ..PACE };
        let max_per_client = http.max_connections_per_address;
        Ok(Self::with(
            http.max_connections,
            pace,
            proxies,
            max_per_client,
        ))
    }

    fn with(max: u32, pace: Pace, trusted_proxies: Vec<Network>, max_per_client: u32) -> Arc<Self> {
        let max = max.min(crate::descriptors::limit() / 2).max(1);
        let permits = Arc::new(Semaphore::new(max as usize));
        metrics::watch_semaphore(CONNECTIONS, &permits, max as usize);
        Arc::new(Self {
            max,
            permits,
            open: Mutex::default(),
            draining: Arc::default(),
            closing: Notify::new(),
            pace,
            trusted_proxies,
            max_per_client,
            counts: Mutex::default(),
        })
    }

    /// Hands each connection to `serve` until the listener is closed; then lets those that are there come to an end.
    pub(crate) async fn serve<F>(
        self: Arc<Self>,
        mut listener: Listener,
        serve: impl Fn(Connection) -> F,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut number = 0;
        let mut plan = EvictionPlan::default();
        while let Some((stream, peer)) = listener.next().await {
            number += 1;
            let client = self.client_of(peer, number);
            if !self.try_count(client) {
                metrics::semaphore_refused(CONNECTIONS_PER_ADDRESS);
                continue;
            }
            let Some(permit) = self.acquire(&mut listener, &mut plan).await else {
                break;
            };
            let activity = Arc::new(Activity::new(self.pace_of(peer), client));
            self.open().insert(number, activity.clone());
            let open = Open {
                peer,
                activity: activity.clone(),
                all: self.clone(),
                number,
                _permit: permit,
            };
            let served = serve(Connection { stream, open });
            tokio::spawn(async move {
                tokio::select! {
                    () = served => {}
                    () = activity.evicted() => {}
                }
            });
        }
        drop(listener);
        self.end().await;
    }

    /// A place for one more; none: the listener was closed meanwhile.
    async fn acquire(
        &self,
        listener: &mut Listener,
        plan: &mut EvictionPlan,
    ) -> Option<OwnedSemaphorePermit> {
        if let Ok(permit) = self.permits.clone().try_acquire_owned() {
            return Some(permit);
        }
        metrics::semaphore_refused(CONNECTIONS);
        loop {
            let wait = match self.evict_one(plan) {
                true => EVICTION_TIMEOUT,
                false => RECHECK_INTERVAL,
            };
            let permit = timeout(wait, self.permits.clone().acquire_owned());
            tokio::select! {
                permit = permit => if let Ok(permit) = permit { return permit.ok() },
                () = listener.closed() => return None,
            }
        }
    }

    /// Cuts the connection whose turn it is; false: all work.
    fn evict_one(&self, plan: &mut EvictionPlan) -> bool {
        if plan.made.is_none_or(|made| made.elapsed() < PLAN_TTL) && plan.evict_next() {
            return true;
        }
        let open = self.open();
        let candidates = open.values().filter_map(|activity| {
            Some((activity.client(), activity.candidate()?, activity.clone()))
        });
        plan.next = eviction::plan(candidates, PLAN_SIZE);
        plan.made = Some(Instant::now());
        drop(open);
        plan.evict_next()
    }

    /// Who is counted for a new connection: of a proxy's, whose clients are known by their requests alone, nobody else.
    fn client_of(&self, peer: SocketAddr, number: u64) -> u64 {
        match self.is_proxy(peer) {
            // Multicast, as an address: nobody's.
            true => u64::MAX - number,
            false => client_network(peer.ip()),
        }
    }

    /// A proxy sends the head at once; until then nobody knows whose connection it is, and a crowd of these could close older uploads.
    fn pace_of(&self, peer: SocketAddr) -> Pace {
        match self.is_proxy(peer) {
            true => Pace {
                first_head: Duration::ZERO,
                ..self.pace
            },
            false => self.pace,
        }
    }

    fn is_proxy(&self, peer: SocketAddr) -> bool {
        let mut networks = self.trusted_proxies.iter();
        networks.any(|network| network.contains(peer.ip()))
    }

    /// Counts the request that is worked on for another client than the connection's own; false: that one has as many as it may.
    fn set_client(&self, activity: &Activity, client: u64) -> bool {
        if client == activity.client() {
            return true;
        }
        if client != activity.own_client() && !self.try_count(client) {
            return false;
        }
        if let Some(before) = activity.set_client(client) {
            self.release(before);
        }
        true
    }

    /// One more of this client; false: it has as many as it may.
    fn try_count(&self, client: u64) -> bool {
        if self.max_per_client == 0 {
            return true;
        }
        let mut counts = self.counts();
        let count = counts.entry(client).or_default();
        let may = *count < self.max_per_client;
        *count += u32::from(may);
        may
    }

    /// One less.
    fn release(&self, client: u64) {
        if self.max_per_client == 0 {
            return;
        }
        if let Entry::Occupied(mut count) = self.counts().entry(client) {
            *count.get_mut() = count.get().saturating_sub(1);
            if *count.get() == 0 {
                count.remove();
            }
        }
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<u64, u32>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// See [`DRAIN_NOTICE`] and [`DRAIN`].
    async fn end(&self) {
        self.draining.store(true, Ordering::Relaxed);
        // With all places back, no connection is left.
        if timeout(DRAIN_NOTICE, self.permits.acquire_many(self.max))
            .await
            .is_ok()
        {
            return;
        }
        self.closing.notify_waiters();
        if timeout(DRAIN, self.permits.acquire_many(self.max))
            .await
            .is_err()
        {
            let left = self.open().len();
            tracing::warn!(left, "connections closed with requests under way");
        }
    }

    /// Ends when the connections that are there are to come to an end.
    async fn closing(&self) {
        self.closing.notified().await;
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Arc<Activity>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whose turn it is to be cut, as of a moment ago.
#[derive(Default)]
struct EvictionPlan {
    next: VecDeque<(Candidate, Arc<Activity>)>,
    made: Option<Instant>,
}

impl EvictionPlan {
    /// Cuts the next one that is still at what it was at then.
    fn evict_next(&mut self) -> bool {
        while let Some((candidate, activity)) = self.next.pop_front() {
            if activity.evict(candidate) {
                return true;
            }
        }
        false
    }
}

impl Connection {
    fn split(self) -> (TcpStream, Open) {
        (self.stream, self.open)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let own_client = self.activity.own_client();
        self.all.set_client(&self.activity, own_client);
        self.all.release(own_client);
        self.all.open().remove(&self.number);
    }
}

#[cfg(test)]
mod tests;
