//! The client of one logical database: how it connects, the deadline of every command, and suspension after a failure.

mod deletions;
mod nodes;
mod scripts;
mod scripts_of_run;
mod server_run;

use std::{
    fmt::Display,
    future::Future,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use fred::{
    bytes::Bytes,
    clients::Client as FredClient,
    interfaces::{ClientLike, FredResult as Reply},
    types::{
        Builder,
        config::{Config, ReconnectPolicy, UnresponsiveConfig},
    },
};
use telemetry::{
    metrics::{self, RedisOutcome},
    trace,
};
use tokio::{sync::watch, time::Instant};
use tracing::Instrument as _;

use crate::{BadUrl, Unavailable, pending::Pending, url};
use server_run::ServerRun;

/// For a TCP connection and its greeting.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// Between two attempts to connect. The client never gives up.
const RECONNECT_DELAY_MS: u32 = 200;
/// A connection without an answer for this long is closed, and another opened.
const UNRESPONSIVE_AFTER: Duration = Duration::from_secs(1);
/// Commands that may be queued in the client: far more than a process has under way.
const MAX_QUEUED_COMMANDS: usize = 10_000;

/// What the metrics call a command of the leases.
const LEASE: &str = "lease";

/// What a client has done since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Round trips to Redis.
    pub round_trips: u64,
    /// Groups of keys that were invalidated.
    pub invalidated: u64,
}

/// A connection to one logical database.
pub struct Client {
    client: FredClient,
    /// The name of the database, for logs and metrics.
    name: &'static str,
    is_cluster: bool,
    deadline: Duration,
    /// Since when it is suspended; `None`: it isn't.
    suspended: watch::Sender<Option<Instant>>,
    /// Changed together with `suspended`.
    pending: Mutex<Pending>,
    server_run: ServerRun,
    round_trips: AtomicU64,
    invalidated: AtomicU64,
}

impl Client {
    /// Connects in the background and retries forever, so Redis may be away. Must be called in a tokio runtime. `name` is for logs and
    /// metrics. A cluster has only one database: there, different owners must use different key prefixes.
    ///
    /// # Errors
    /// The URL can't be read.
    pub fn open(
        name: &'static str,
        redis: &settings::Redis,
        database: u8,
    ) -> Result<Arc<Self>, BadUrl> {
        let config = url::config(redis)?;
        Self::connect(name, redis, config, database)
            .map_err(|error| BadUrl(format!("{:?}", error.kind())))
    }

    fn connect(
        name: &'static str,
        redis: &settings::Redis,
        mut config: Config,
        database: u8,
    ) -> Reply<Arc<Self>> {
        let deadline = Duration::from_millis(redis.command_timeout_ms);
        let is_cluster = config.server.is_clustered();
        config.database = (!is_cluster).then_some(database);
        // The first connection is retried like all others.
        config.fail_fast = false;
        let client = Builder::from_config(config)
            .with_performance_config(|performance| performance.default_command_timeout = deadline)
            .with_connection_config(|connection| {
                connection.connection_timeout = CONNECT_TIMEOUT;
                connection.internal_command_timeout = CONNECT_TIMEOUT;
                // A cluster may send a command on to the node that has the key by now.
                connection.max_command_attempts = if is_cluster { 3 } else { 1 };
                connection.max_command_buffer_len = MAX_QUEUED_COMMANDS;
                connection.unresponsive = UnresponsiveConfig {
                    max_timeout: Some(UNRESPONSIVE_AFTER),
                    interval: UNRESPONSIVE_AFTER / 4,
                };
                connection.tcp.nodelay = Some(true);
            })
            // 0: without end.
            .set_policy(ReconnectPolicy::new_constant(0, RECONNECT_DELAY_MS))
            .build()?;
        url::log_failures(name, &client);
        client.connect();
        let client = Arc::new(Self {
            client,
            name,
            is_cluster,
            deadline,
            suspended: watch::Sender::new(None),
            pending: Mutex::default(),
            server_run: ServerRun::default(),
            round_trips: AtomicU64::default(),
            invalidated: AtomicU64::default(),
        });
        let shown = Arc::downgrade(&client);
        metrics::watch_redis(name, move || {
            let client = shown.upgrade()?;
            Some(client.client.is_connected() && !client.is_suspended())
        });
        Ok(client)
    }

    /// The values of these keys; `None` for a missing key or one of another type.
    pub async fn get_all(
        self: &Arc<Self>,
        keys: Vec<String>,
    ) -> Result<Vec<Option<Bytes>>, Unavailable> {
        let asked = keys.len();
        let texts = self.run("get", self.texts(keys)).await?;
        if texts.len() == asked {
            Ok(texts)
        } else {
            Err(Unavailable)
        }
    }

    /// Whether it is a cluster, where keys with the same hash tag are on one node.
    pub fn is_cluster(&self) -> bool {
        self.is_cluster
    }

    fn is_suspended(&self) -> bool {
        self.suspended.borrow().is_some()
    }

    /// Succeeds if Redis answers now.
    pub async fn ping(self: &Arc<Self>) -> Result<(), Unavailable> {
        self.run("ping", self.ping_all()).await
    }

    /// What the client has done since it was opened.
    pub fn stats(&self) -> Stats {
        Stats {
            round_trips: self.round_trips.load(Ordering::Relaxed),
            invalidated: self.invalidated.load(Ordering::Relaxed),
        }
    }

    /// Runs a command with the deadline. A failure suspends the client. `operation` is for the metrics.
    async fn run<T>(
        self: &Arc<Self>,
        operation: &'static str,
        work: impl Future<Output = Reply<T>>,
    ) -> Result<T, Unavailable> {
        let start = Instant::now();
        let record = |outcome| metrics::redis_command(operation, outcome, start.elapsed());
        if self.is_suspended() {
            record(RedisOutcome::Unavailable);
            return Err(Unavailable);
        }
        if !self.client.is_connected() {
            record(RedisOutcome::Unavailable);
            self.suspend(&"not connected");
            return Err(Unavailable);
        }
        if operation != LEASE {
            self.round_trips.fetch_add(1, Ordering::Relaxed);
        }
        let span = trace::call("redis", operation);
        match tokio::time::timeout(self.deadline, work)
            .instrument(span.clone())
            .await
        {
            Ok(Ok(answer)) => {
                record(RedisOutcome::Ok);
                Ok(answer)
            }
            Ok(Err(error)) => {
                trace::failed(&span);
                record(RedisOutcome::Failed);
                self.suspend(&error);
                Err(Unavailable)
            }
            Err(_) => {
                trace::failed(&span);
                record(RedisOutcome::TimedOut);
                self.suspend(&"the deadline passed");
                Err(Unavailable)
            }
        }
    }

    fn suspend(self: &Arc<Self>, reason: &dyn Display) {
        let is_first = self.suspended.send_if_modified(|since| {
            let is_first = since.is_none();
            since.get_or_insert_with(Instant::now);
            is_first
        });
        if is_first {
            tracing::warn!(database = self.name, %reason, "Redis is unavailable; commands fail at once until it answers");
            vital::spawn("probe of Redis", Self::probe(Arc::downgrade(self)));
        }
    }
}
