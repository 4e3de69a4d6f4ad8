//! The connection limit of a server, for HTTP ([`http`]) and for thrift ([`rpc`]): how many connections, how slow, and how they end.
//!
//! It replaces the accept loops of the frameworks, which have no limits. When the limit is reached, a new connection evicts one that isn't
//! admitted yet ([`eviction`]); if all are working, it waits. Running out of file descriptors neither ends the loop nor makes it spin.

mod activity;
mod admission;
mod body;
mod codec;
mod eviction;
pub(crate) mod http;
mod listener;
pub(crate) mod rpc;
mod timeout_stream;
mod timeouts;
mod tt_header;

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
pub(crate) use listener::{Closer, Listener};
use timeouts::{BodyRate, Timeouts};

/// What the metrics call the bounds.
const CONNECTIONS: &str = "connections";
const CONNECTIONS_PER_ADDRESS: &str = "connections_per_address";

/// How slow a connection may be. A browser that connects ahead, and a client that keeps connections, come again when one is gone.
const TIMEOUTS: Timeouts = Timeouts {
    receive: Duration::from_secs(10),
    idle: Duration::from_secs(75),
    send: Duration::from_secs(20),
    // For HTTP the settings give these. For thrift they are unused: a body is seen only when it is whole.
    body: BodyRate {
        admission: Duration::from_secs(10),
        rate: 8 << 10,
        grace: Duration::from_secs(10),
        stall: Duration::from_secs(20),
    },
    first_head: Duration::from_secs(1),
    recent: Duration::from_secs(2),
};
/// How long a stopping server still answers on open connections. Each answer asks the caller to use another connection, so none is
/// closed at the moment when it is used.
const DRAIN_NOTICE: Duration = Duration::from_secs(2);
/// How long a stopping server then waits for requests in flight.
const DRAIN: Duration = Duration::from_secs(28);

/// How often a free permit is looked for while all connections are working.
const RECHECK_INTERVAL: Duration = Duration::from_millis(50);
/// How long an evicted connection may take to release its permit.
const EVICTION_TIMEOUT: Duration = Duration::from_secs(1);
/// How many evictions are planned at once and for how long the plan is used, so that a flood of connections doesn't cost a search over
/// all of them each time.
const PLAN_SIZE: usize = 32;
const PLAN_TTL: Duration = Duration::from_millis(100);

/// The open connections of one server.
pub(crate) struct Connections {
    max: u32,
    permits: Arc<Semaphore>,
    open: Mutex<HashMap<u64, Arc<Activity>>>,
    draining: Arc<AtomicBool>,
    closing: Notify,
    timeouts: Timeouts,
    /// Each of their connections carries requests of many clients.
    trusted_proxies: Vec<Network>,
    /// The limit for each client; 0: no limit.
    max_per_client: u32,
    /// Open connections by client.
    counts: Mutex<HashMap<u64, u32>>,
}

/// A connection that was just accepted.
pub(crate) struct Connection {
    stream: TcpStream,
    open: Open,
}

/// An open connection: its permit and its entry among all. Both are released on drop.
struct Open {
    peer: SocketAddr,
    activity: Arc<Activity>,
    all: Arc<Connections>,
    number: u64,
    _permit: OwnedSemaphorePermit,
}

impl Connections {
    /// At most `max`, and at most half of the file descriptors that this process may open.
    pub(crate) fn new(max: u32) -> Arc<Self> {
        Self::with(max, TIMEOUTS, Vec::new(), 0)
    }

    /// With the limits of the HTTP server's settings.
    ///
    /// # Errors
    /// A setting can't be used.
    pub(crate) fn for_http(settings: &Settings) -> Result<Arc<Self>, SettingsError> {
        let http = &settings.http;
        let body = BodyRate {
            admission: Duration::from_secs(http.admission_timeout_s),
            rate: http.min_body_rate,
            grace: Duration::from_secs(http.min_body_rate_after_s),
            stall: Duration::from_secs(settings.upload.stall_timeout_s),
        };
        let proxies = settings.trusted_proxies()?;
        let timeouts = Timeouts { body, ..TIMEOUTS };
        let max_per_client = http.max_connections_per_address;
        Ok(Self::with(
            http.max_connections,
            timeouts,
            proxies,
            max_per_client,
        ))
    }

    fn with(
        max: u32,
        timeouts: Timeouts,
        trusted_proxies: Vec<Network>,
        max_per_client: u32,
    ) -> Arc<Self> {
        let max = max.min(crate::descriptors::limit() / 2).max(1);
        let permits = Arc::new(Semaphore::new(max as usize));
        metrics::watch_semaphore(CONNECTIONS, &permits, max as usize);
        Arc::new(Self {
            max,
            permits,
            open: Mutex::default(),
            draining: Arc::default(),
            closing: Notify::new(),
            timeouts,
            trusted_proxies,
            max_per_client,
            counts: Mutex::default(),
        })
    }

    /// Hands each new connection to `serve` until the listener is closed, then drains.
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
            let activity = Arc::new(Activity::new(self.timeouts_of(peer), client));
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

    /// Waits for a permit, and evicts a connection if none is free. `None` when the listener was closed.
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

    /// Evicts the next connection of the plan. False when all connections are working.
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

    /// The client that a new connection counts for. A proxy's connection counts for itself until a request names the client.
    fn client_of(&self, peer: SocketAddr, number: u64) -> u64 {
        match self.is_proxy(peer) {
            // As an address this is multicast, so no client has this number.
            true => u64::MAX - number,
            false => client_network(peer.ip()),
        }
    }

    /// A proxy sends the head at once, so it gets no protection for a first head: until the head is read its client is unknown, and many
    /// such connections could evict older uploads.
    fn timeouts_of(&self, peer: SocketAddr) -> Timeouts {
        match self.is_proxy(peer) {
            true => Timeouts {
                first_head: Duration::ZERO,
                ..self.timeouts
            },
            false => self.timeouts,
        }
    }

    fn is_proxy(&self, peer: SocketAddr) -> bool {
        let mut networks = self.trusted_proxies.iter();
        networks.any(|network| network.contains(peer.ip()))
    }

    /// Counts the connection for the client of its current request. False when that client has reached its limit.
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

    /// Counts one more connection of a client. False when the client has reached its limit.
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

    /// Counts one connection less.
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

    /// Drains: see [`DRAIN_NOTICE`] and [`DRAIN`].
    async fn end(&self) {
        self.draining.store(true, Ordering::Relaxed);
        // When all permits are free, no connection is open.
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

    /// Resolves when open connections shall close.
    async fn closing(&self) {
        self.closing.notified().await;
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, Arc<Activity>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The next connections to evict, as of a moment ago.
#[derive(Default)]
struct EvictionPlan {
    next: VecDeque<(Candidate, Arc<Activity>)>,
    made: Option<Instant>,
}

impl EvictionPlan {
    /// Evicts the next connection whose phase is still as planned.
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
