//! The connection to one logical database of Redis, or to a cluster, which has none: bounded in time, and soon given up on when it
//! doesn't answer.
//!
//! After a failure the link is suspended: nobody waits for it, until a probe in the background was answered. What may be wrong
//! in Redis since then is owed a deletion, which is paid before the link is used again; until then others must not trust what they
//! find there ([`leases`]). What the keys mean is their owners' affair.

pub mod leases;
mod nodes;
mod url;

use std::{
    collections::HashSet,
    fmt::Display,
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

pub use fred::bytes::Bytes;
use fred::{
    clients::Client,
    error::{Error, ErrorKind},
    interfaces::{ClientLike, KeysInterface},
    types::{
        Builder, ClusterHash, CustomCommand,
        config::{Config, ReconnectPolicy, UnresponsiveConfig},
    },
    util::redis_keyslot,
};
use telemetry::{
    metrics::{self, RedisOutcome},
    trace,
};
use tokio::{sync::watch, time::Instant};
use tracing::Instrument as _;

pub use fred::{
    interfaces::FredResult as Reply,
    types::{Value, scripts::Script},
};

/// For a TCP connection and its greeting.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// Between two attempts to connect, for ever.
const RECONNECT_DELAY_MS: u32 = 200;
/// A connection without an answer for this long is closed, and another opened.
const UNRESPONSIVE_AFTER: Duration = Duration::from_secs(1);
/// Commands that may wait in the client: far above what a process has under way.
const MAX_WAITING: usize = 10_000;
/// Between two probes of a suspended link.
const PROBE_PERIOD: Duration = Duration::from_millis(100);
/// Most keys that a deletion is owed. What doesn't fit waits for the comparison.
const MAX_OWED: usize = 65_536;
/// Keys deleted at once.
const DELETE_AT_ONCE: usize = 512;

/// What the metrics call a command of the leases.
const LEASE: &str = "lease";

/// Redis can't be used at the moment.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("Redis can't be asked at the moment")]
pub struct Away;

/// `redis.url` can't be read. Tells no more, for the URL may have a password.
#[derive(Debug, Clone, thiserror::Error)]
#[error("redis.url can't be used: {0}")]
pub struct BadUrl(String);

/// Keys that are deleted by one command, so at one moment; in a cluster all of one slot.
pub type Together = Vec<String>;

/// Keys and arguments of one run of a script.
pub type Call = (Vec<String>, Vec<String>);

/// What happened on a link since it was opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Round trips to Redis.
    pub round_trips: u64,
    /// Keys to be deleted, since their state was unknown.
    pub forgotten: u64,
}

/// What this process must still set right, and until when others may trust that there is nothing.
#[derive(Default)]
struct Owed {
    keys: HashSet<Together>,
    /// When the last lease ends that was asked for.
    lease_ends: Option<Instant>,
}

/// A connection to one logical database.
pub struct Link {
    client: Client,
    /// Which database this is, for the log.
    name: &'static str,
    is_cluster: bool,
    deadline: Duration,
    /// Since when it may not be used; none: it may.
    suspended: watch::Sender<Option<Instant>>,
    /// Changed together with `suspended`.
    owed: Mutex<Owed>,
    round_trips: AtomicU64,
    forgotten: AtomicU64,
}

impl Link {
    /// Connects in the background, for ever: Redis may be away. Must be called in a tokio runtime. `name` is for the log and the
    /// metrics. In a cluster all databases are one: their owners' keys must differ by their names.
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
        // Also the first connection is attempted until it succeeds.
        config.fail_fast = false;
        let client = Builder::from_config(config)
            .with_performance_config(|performance| performance.default_command_timeout = deadline)
            .with_connection_config(|connection| {
                connection.connection_timeout = CONNECT_TIMEOUT;
                connection.internal_command_timeout = CONNECT_TIMEOUT;
                // A cluster may send a command on to the node that has the key by now.
                connection.max_command_attempts = if is_cluster { 3 } else { 1 };
                connection.max_command_buffer_len = MAX_WAITING;
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
        let link = Arc::new(Self {
            client,
            name,
            is_cluster,
            deadline,
            suspended: watch::Sender::new(None),
            owed: Mutex::default(),
            round_trips: AtomicU64::default(),
            forgotten: AtomicU64::default(),
        });
        let shown = Arc::downgrade(&link);
        metrics::watch_redis(name, move || {
            let link = shown.upgrade()?;
            Some(link.client.is_connected() && !link.is_suspended())
        });
        Ok(link)
    }

    /// The texts of these keys; none for an absent one, or one of another type.
    pub async fn get_all(self: &Arc<Self>, keys: Vec<String>) -> Result<Vec<Option<Bytes>>, Away> {
        let asked = keys.len();
        let texts = self.run("get", self.texts(keys)).await?;
        if texts.len() == asked {
            Ok(texts)
        } else {
            Err(Away)
        }
    }

    /// Runs a script for each of `calls`, in one round trip; the answers are in their order.
    pub async fn run_script(
        self: &Arc<Self>,
        script: &Script,
        calls: &[Call],
    ) -> Result<Vec<Reply<Value>>, Away> {
        self.run_script_as("script", script, calls).await
    }

    /// [`Self::run_script`] for one that only reads: the metrics tell it from those that write.
    pub async fn get_by_script(
        self: &Arc<Self>,
        script: &Script,
        calls: &[Call],
    ) -> Result<Vec<Reply<Value>>, Away> {
        self.run_script_as("get", script, calls).await
    }

    /// [`Self::run_script`] for a lease: nobody waits for it, so it is no round trip in [`Stats`].
    pub(crate) async fn run_lease_script(
        self: &Arc<Self>,
        script: &Script,
        calls: &[Call],
    ) -> Result<Vec<Reply<Value>>, Away> {
        self.run_script_as(LEASE, script, calls).await
    }

    async fn run_script_as(
        self: &Arc<Self>,
        operation: &'static str,
        script: &Script,
        calls: &[Call],
    ) -> Result<Vec<Reply<Value>>, Away> {
        if calls.is_empty() {
            return Ok(Vec::new());
        }
        // On the heap: callers of callers would be too deep a type otherwise.
        let work = Box::pin(async {
            let mut replies = self.pipeline(script, calls).await?;
            // A server that has just started, or forgot its scripts; in a cluster it may be one of many.
            let unknown: Vec<usize> = (0..)
                .zip(&replies)
                .filter_map(|(at, reply)| is_unknown(reply).then_some(at))
                .collect();
            if !unknown.is_empty() {
                script.load(&self.client).await?;
                let again: Vec<Call> = unknown
                    .iter()
                    .filter_map(|at| calls.get(*at).cloned())
                    .collect();
                let answers = self.pipeline(script, &again).await?;
                for (at, answer) in unknown.into_iter().zip(answers) {
                    if let Some(reply) = replies.get_mut(at) {
                        *reply = answer;
                    }
                }
            }
            Ok(replies)
        });
        self.run(operation, work).await
    }

    async fn pipeline(&self, script: &Script, calls: &[Call]) -> Reply<Vec<Reply<Value>>> {
        let pipeline = self.client.pipeline();
        for (keys, arguments) in calls {
            // fred's pipelines have no method for it. Of custom commands it knows no place of the key: only a slot reaches the
            // node that has it.
            let slot = keys.first().map(|key| redis_keyslot(key.as_bytes()));
            let command = CustomCommand::new("EVALSHA", ClusterHash::from(slot), false);
            let head = [script.sha1().to_string(), keys.len().to_string()];
            let arguments: Vec<String> =
                head.iter().chain(keys).chain(arguments).cloned().collect();
            let () = pipeline.custom(command, arguments).await?;
        }
        let mut replies: Vec<Reply<Value>> = pipeline.try_all().await;
        if replies.len() == calls.len() && calls.len() > 1 {
            return Ok(replies);
        }
        // The pipeline failed as a whole, or is one command whose error may be the connection's.
        match replies.pop() {
            Some(Err(error)) if calls.len() > 1 || is_connection_fault(&error) => Err(error),
            Some(reply) if calls.len() == 1 => Ok(vec![reply]),
            _ => Err(Error::new(ErrorKind::Protocol, "replies are missing")),
        }
    }

    /// Deletes these keys; later, if it can't be done now.
    pub async fn forget(self: &Arc<Self>, keys: Vec<Together>) {
        self.count_forgotten(&keys);
        for chunk in keys.chunks(DELETE_AT_ONCE) {
            if self.remove(chunk).await.is_err() {
                self.owe(chunk.iter().cloned());
            }
        }
    }

    /// Deletes these keys now or not at all.
    pub async fn remove(self: &Arc<Self>, keys: &[Together]) -> Result<(), Away> {
        self.run("delete", self.delete(keys)).await
    }

    /// As [`Self::forget`], but not now: the link has just failed.
    pub fn forget_later(self: &Arc<Self>, keys: Vec<Together>) {
        self.count_forgotten(&keys);
        self.owe(keys.into_iter());
    }

    /// Waits until nothing is owed any more.
    pub async fn paid(&self) {
        let mut suspended = self.suspended.subscribe();
        // An error would be the end of the link, which is here.
        let _ = suspended.wait_for(Option::is_none).await;
    }

    /// Whether it may be used, and nothing in Redis may be wrong because of this process.
    pub(crate) fn owes_nothing(&self) -> bool {
        self.owed().keys.is_empty() && !self.is_suspended()
    }

    /// Whether a lease may be asked for that ends so much later: only while nothing is owed. From now on whoever owes something
    /// must count on it.
    pub(crate) fn may_hold_until(&self, life: Duration) -> bool {
        let mut owed = self.owed();
        let may = owed.keys.is_empty() && !self.is_suspended();
        if may {
            owed.lease_ends = Some(Instant::now() + life);
        }
        may
    }

    /// When the last lease ends that was asked for.
    pub(crate) fn lease_ends(&self) -> Option<Instant> {
        self.owed().lease_ends
    }

    /// Whether it is a cluster: one keyspace, whose keys are together where their hash tags are the same.
    pub fn is_cluster(&self) -> bool {
        self.is_cluster
    }

    fn is_suspended(&self) -> bool {
        self.suspended.borrow().is_some()
    }

    /// Whether it answers now.
    pub async fn ping(self: &Arc<Self>) -> Result<(), Away> {
        self.run("ping", self.ping_all()).await
    }

    /// What happened since it was opened.
    pub fn stats(&self) -> Stats {
        Stats {
            round_trips: self.round_trips.load(Ordering::Relaxed),
            forgotten: self.forgotten.load(Ordering::Relaxed),
        }
    }

    fn count_forgotten(&self, keys: &[Together]) {
        let count = u64::try_from(keys.len()).unwrap_or(u64::MAX);
        self.forgotten.fetch_add(count, Ordering::Relaxed);
    }

    async fn delete(&self, keys: &[Together]) -> Reply<()> {
        let pipeline = self.client.pipeline();
        for key in keys {
            let () = pipeline.del(key.clone()).await?;
        }
        pipeline.all().await
    }

    fn owe(self: &Arc<Self>, keys: impl Iterator<Item = Together>) {
        let mut owed = self.owed();
        let room = MAX_OWED.saturating_sub(owed.keys.len());
        owed.keys.extend(keys.take(room));
        self.suspend(&"its state is unknown");
    }

    /// Waits for `work` no longer than the deadline; a failure suspends the link. `operation` is for the metrics.
    async fn run<T>(
        self: &Arc<Self>,
        operation: &'static str,
        work: impl Future<Output = Reply<T>>,
    ) -> Result<T, Away> {
        let start = Instant::now();
        let record = |outcome| metrics::redis_command(operation, outcome, start.elapsed());
        if self.is_suspended() {
            record(RedisOutcome::Away);
            return Err(Away);
        }
        if !self.client.is_connected() {
            record(RedisOutcome::Away);
            self.suspend(&"not connected");
            return Err(Away);
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
                Err(Away)
            }
            Err(_) => {
                trace::failed(&span);
                record(RedisOutcome::TimedOut);
                self.suspend(&"the deadline passed");
                Err(Away)
            }
        }
    }

    fn suspend(self: &Arc<Self>, reason: &dyn Display) {
        let is_news = self.suspended.send_if_modified(|since| {
            let is_news = since.is_none();
            since.get_or_insert_with(Instant::now);
            is_news
        });
        if is_news {
            tracing::warn!(database = self.name, %reason, "Redis is away; MySQL answers in its place");
            vital::spawn("probe of Redis", probe(Arc::downgrade(self)));
        }
    }

    /// Pays what is owed, or just asks for an answer. True when the link may be used again.
    async fn pay(&self) -> bool {
        loop {
            if !self.client.is_connected() {
                return false;
            }
            let keys: Vec<Together> = self
                .owed()
                .keys
                .iter()
                .take(DELETE_AT_ONCE)
                .cloned()
                .collect();
            let work = async {
                if keys.is_empty() {
                    self.ping_all().await
                } else {
                    self.delete(&keys).await
                }
            };
            let Ok(Ok(())) = tokio::time::timeout(self.deadline, work).await else {
                return false;
            };
            let mut owed = self.owed();
            for keys in &keys {
                owed.keys.remove(keys);
            }
            if owed.keys.is_empty() {
                // Under the lock: whoever owes from now on suspends again.
                self.suspended.send_replace(None);
                return true;
            }
        }
    }

    fn owed(&self) -> MutexGuard<'_, Owed> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn probe(link: Weak<Link>) {
    loop {
        let Some(link) = link.upgrade() else { return };
        if link.pay().await {
            tracing::info!(database = link.name, "Redis is back");
            return;
        }
        drop(link);
        tokio::time::sleep(PROBE_PERIOD).await;
    }
}

/// The server doesn't have the script.
fn is_unknown(reply: &Reply<Value>) -> bool {
    matches!(reply, Err(error) if error.details().starts_with("NOSCRIPT"))
}

/// Not the answer of a server.
fn is_connection_fault(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::IO | ErrorKind::Timeout | ErrorKind::Canceled | ErrorKind::Routing
    )
}
