//! The connections of a server, whatever is spoken on them: how many there are, how slow they may be, and how they end.
//!
//! The frameworks' own accept loops bound neither; so this one stands in their place and hands each connection to what
//! speaks HTTP ([`http`]) or thrift ([`rpc`]). At most so many are open; one more takes the place of the one that has
//! done nothing for longest, and waits when all work. No shortage of file descriptors ends the loop or makes it spin.

mod activity;
pub(crate) mod http;
mod listener;
mod paced;
pub(crate) mod rpc;

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use telemetry::metrics;
use tokio::{
    net::TcpStream,
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use activity::{Activity, Pace};
pub use listener::{Closer, Listener};

/// What the metrics call the bound.
const CONNECTIONS: &str = "connections";

/// How slow a connection may be. A browser that connects ahead, and a client that keeps connections, come again when one is gone.
const PACE: Pace = Pace {
    receive: Duration::from_secs(10),
    idle: Duration::from_secs(75),
    send: Duration::from_secs(20),
};
/// A server that stops goes on answering for so long on the connections that it has, each answer asking the caller to take
/// another: so none is closed just when it is used.
const PARTING: Duration = Duration::from_secs(2);
/// And for so long it waits for answers that are under way.
const DRAIN: Duration = Duration::from_secs(28);

/// While all connections work, for one that doesn't any more.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// The open connections of one server.
pub(crate) struct Connections {
    most: u32,
    places: Arc<Semaphore>,
    open: Mutex<HashMap<u64, Arc<Activity>>>,
    leaving: Arc<AtomicBool>,
    closing: Notify,
    pace: Pace,
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
    _place: OwnedSemaphorePermit,
}

impl Connections {
    /// At most `most`, and no more than half of what the system lets this process open.
    pub(crate) fn new(most: u32) -> Arc<Self> {
        Self::with_pace(most, PACE)
    }

    fn with_pace(most: u32, pace: Pace) -> Arc<Self> {
        let most = most.min(crate::descriptors::limit() / 2).max(1);
        let places = Arc::new(Semaphore::new(most as usize));
        metrics::watch_semaphore(CONNECTIONS, &places, most as usize);
        Arc::new(Self {
            most,
            places,
            open: Mutex::default(),
            leaving: Arc::default(),
            closing: Notify::new(),
            pace,
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
        while let Some((stream, peer)) = listener.next().await {
            let Some(place) = self.place(&mut listener).await else {
                break;
            };
            number += 1;
            let activity = Arc::new(Activity::new(self.pace));
            self.open().insert(number, activity.clone());
            let open = Open {
                peer,
                activity: activity.clone(),
                all: self.clone(),
                number,
                _place: place,
            };
            let served = serve(Connection { stream, open });
            tokio::spawn(async move {
                tokio::select! {
                    () = served => {}
                    () = activity.was_cut() => {}
                }
            });
        }
        drop(listener);
        self.end().await;
    }

    /// A place for one more; none: the listener was closed meanwhile.
    async fn place(&self, listener: &mut Listener) -> Option<OwnedSemaphorePermit> {
        if let Ok(place) = self.places.clone().try_acquire_owned() {
            return Some(place);
        }
        metrics::semaphore_refused(CONNECTIONS);
        loop {
            self.make_room();
            let place = timeout(LOOK_AGAIN, self.places.clone().acquire_owned());
            tokio::select! {
                place = place => if let Ok(place) = place { return place.ok() },
                () = listener.closed() => return None,
            }
        }
    }

    /// Cuts the connection that has done nothing for longest.
    fn make_room(&self) {
        let open = self.open();
        let oldest = open
            .values()
            .filter_map(|activity| Some((activity.spare()?, activity)))
            .min_by_key(|(spare, _)| *spare);
        if let Some((spare, activity)) = oldest {
            activity.cut(spare);
        }
    }

    /// See [`PARTING`] and [`DRAIN`].
    async fn end(&self) {
        self.leaving.store(true, Ordering::Relaxed);
        // With all places back, no connection is left.
        if timeout(PARTING, self.places.acquire_many(self.most))
            .await
            .is_ok()
        {
            return;
        }
        self.closing.notify_waiters();
        if timeout(DRAIN, self.places.acquire_many(self.most))
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

impl Connection {
    fn split(self) -> (TcpStream, Open) {
        (self.stream, self.open)
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.all.open().remove(&self.number);
    }
}

#[cfg(test)]
mod tests;
