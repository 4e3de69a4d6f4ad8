//! Service discovery: keeps the list of instances of one service, read from etcd and then watched.
//!
//! The whole list is read again, and a new watch begins, after every break of the watch (etcd away, no leader, history compacted) and once
//! in a period. A deleted instance goes at once. An instance that is only missing from a newly read list stays for a grace period, because
//! services register again after etcd lost its data. The last instances stay for that period however they went.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use etcd_client::{Client, EventType, GetOptions, WatchOptions};
use proof::Secrets;
use rand::Rng as _;
use tokio::{sync::watch, time::Instant};

use crate::{
    Instance, RegistryError,
    login::log_in_again,
    retry::{Backoff, MAX_BACKOFF, within},
};

/// By etcd key.
type Listed = BTreeMap<String, Instance>;

/// The instances of one service. Cheap to clone.
#[derive(Clone)]
pub struct Instances(Arc<Shared>);

struct Shared {
    service: String,
    current: Arc<ArcSwap<Vec<Instance>>>,
    loaded: watch::Receiver<bool>,
    task: tokio::task::AbortHandle,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Where the instances of a service are registered, and whether they must be signed.
pub(crate) struct Source {
    pub(crate) client: Client,
    pub(crate) service: String,
    pub(crate) prefix: String,
    /// An instance must be signed with one of these; `None`: no signature is needed.
    pub(crate) secrets: Option<Secrets>,
    pub(crate) relist_period: Duration,
}

impl Instances {
    pub(crate) fn watch(source: Source, lease_ttl: Duration) -> Self {
        let current = Arc::new(ArcSwap::from_pointee(Vec::new()));
        let (set_loaded, loaded) = watch::channel(false);
        let service = source.service.clone();
        let watcher = Watcher {
            source,
            view: View::new(lease_ttl + MAX_BACKOFF * 2),
            current: current.clone(),
            loaded: set_loaded,
        };
        let task = vital::spawn("watch of instances in etcd", watcher.run()).abort_handle();
        Self(Arc::new(Shared {
            service,
            current,
            loaded,
            task,
        }))
    }

    /// The instances known now; empty before the first answer of etcd and when there are none.
    pub fn current(&self) -> Arc<Vec<Instance>> {
        self.0.current.load_full()
    }

    /// The instances known now, or as soon as etcd has answered once.
    ///
    /// # Errors
    /// [`RegistryError::Unknown`] when etcd doesn't answer by `deadline`, [`RegistryError::Empty`] when there are none.
    pub async fn ready(&self, deadline: Instant) -> Result<Arc<Vec<Instance>>, RegistryError> {
        let mut loaded = self.0.loaded.clone();
        let unknown = || RegistryError::Unknown(self.0.service.clone());
        tokio::time::timeout_at(deadline, loaded.wait_for(|loaded| *loaded))
            .await
            .map_err(|_| unknown())?
            .map_err(|_| unknown())?;
        let current = self.current();
        if current.is_empty() {
            return Err(RegistryError::Empty(self.0.service.clone()));
        }
        Ok(current)
    }
}

struct Watcher {
    source: Source,
    view: View,
    current: Arc<ArcSwap<Vec<Instance>>>,
    loaded: watch::Sender<bool>,
}

impl Watcher {
    async fn run(mut self) {
        let mut backoff = Backoff::new();
        let mut told = None;
        loop {
            match self.follow(told.take(), &mut backoff).await {
                Ok(Ended::Due { told: until }) => {
                    told = Some(until);
                    continue;
                }
                Ok(Ended::Broken) => {
                    tracing::info!(
                        prefix = self.source.prefix,
                        "watch ended, reading the list again"
                    );
                }
                Err(error) => {
                    tracing::warn!(prefix = self.source.prefix, %error, "watch broken, keeping the last list");
                    log_in_again(&self.source.client, &error).await;
                }
            }
            backoff.wait().await;
        }
    }

    /// Reads the list and follows its changes until the watch breaks or must be renewed. `told` is the revision up to which the watch
    /// before reported all changes; the new watch begins there, so that no deletion is missed.
    async fn follow(
        &mut self,
        told: Option<i64>,
        backoff: &mut Backoff,
    ) -> Result<Ended, RegistryError> {
        let listed = self.load().await?;
        // The revisions of an etcd that lost its data begin again.
        let mut told = told.filter(|told| *told <= listed).unwrap_or(listed);
        let options = WatchOptions::new()
            .with_prefix()
            .with_start_revision(told + 1);
        let mut watch_client = self.source.client.watch_client();
        let watching = watch_client.watch(self.source.prefix.as_str(), Some(options));
        let mut stream = within(watching).await?;
        *backoff = Backoff::new();
        let due = Instant::now() + jittered(self.source.relist_period);
        loop {
            let message = tokio::select! {
                message = stream.message() => message?,
                () = at(self.view.grace_end()) => {
                    self.publish();
                    continue;
                }
                () = at(Some(due)) => return Ok(Ended::Due { told }),
            };
            // Cancelled, mostly because the history since our revision was compacted.
            let Some(message) = message.filter(|message| !message.canceled()) else {
                return Ok(Ended::Broken);
            };
            let mut changes = Vec::with_capacity(message.events().len());
            for event in message.events() {
                let Some(kv) = event.kv() else { continue };
                told = told.max(kv.mod_revision());
                let Ok(key) = kv.key_str() else { continue };
                let instance = match event.event_type() {
                    EventType::Put => self.source.parse(kv),
                    EventType::Delete => None,
                };
                changes.push(Change {
                    key: key.to_owned(),
                    instance,
                    is_listed: kv.mod_revision() <= listed,
                });
            }
            self.view.apply(changes, Instant::now());
            self.publish();
        }
    }

    async fn load(&mut self) -> Result<i64, RegistryError> {
        let options = GetOptions::new().with_prefix();
        let mut kv_client = self.source.client.kv_client();
        let answer = within(kv_client.get(self.source.prefix.as_str(), Some(options))).await?;
        let listed = answer
            .kvs()
            .iter()
            .filter_map(|kv| Some((kv.key_str().ok()?.to_owned(), self.source.parse(kv)?)))
            .collect();
        self.view.replace(listed, Instant::now());
        self.publish();
        self.loaded.send_replace(true);
        Ok(answer
            .header()
            .map_or(0, etcd_client::ResponseHeader::revision))
    }

    fn publish(&mut self) {
        let next = self.view.instances(Instant::now());
        telemetry::metrics::registry_instances(&self.source.service, next.len());
        if **self.current.load() != next {
            tracing::info!(prefix = self.source.prefix, instances = ?next, "instances changed");
            self.current.store(Arc::new(next));
        }
    }
}

/// Why a watch has ended.
enum Ended {
    /// It must be renewed; it reported all changes up to this revision.
    Due { told: i64 },
    /// etcd ended it.
    Broken,
}

impl Source {
    fn parse(&self, kv: &etcd_client::KeyValue) -> Option<Instance> {
        let is_trusted = |address, signature: Option<&str>| {
            self.secrets
                .as_ref()
                .is_none_or(|secrets| secrets.is_ours(&self.service, address, signature))
        };
        let instance = Instance::from_json(kv.value(), is_trusted);
        if let Err(reason) = &instance {
            tracing::warn!(key = ?kv.key_str(), reason, "an instance is passed over");
        }
        instance.ok()
    }
}

/// Jitter, so that not all processes read at the same moment.
fn jittered(period: Duration) -> Duration {
    period.mul_f64(rand::rng().random_range(0.8..1.0))
}

/// A change of a key.
struct Change {
    key: String,
    /// `None`: it was deleted, or it may not be called.
    instance: Option<Instance>,
    /// Whether the list that was read last contains the change already.
    is_listed: bool,
}

/// What etcd lists, and what it listed a moment ago.
struct View {
    listed: Listed,
    /// No longer listed, but used until this time.
    kept: BTreeMap<String, (Instance, Instant)>,
    grace: Duration,
}

impl View {
    fn new(grace: Duration) -> Self {
        Self {
            listed: Listed::new(),
            kept: BTreeMap::new(),
            grace,
        }
    }

    /// A list that was read whole.
    fn replace(&mut self, listed: Listed, now: Instant) {
        let before = std::mem::replace(&mut self.listed, listed);
        self.keep(before, now);
    }

    /// Changes in the order in which they happened.
    fn apply(&mut self, changes: Vec<Change>, now: Instant) {
        let before = self.listed.clone();
        for change in changes {
            match change.instance {
                // The list is newer.
                Some(_) if change.is_listed => {}
                Some(instance) => {
                    self.kept.remove(&change.key);
                    self.listed.insert(change.key, instance);
                }
                // Gone before the list was read: kept as merely missing there, unless it was the last.
                None if change.is_listed => {
                    if !self.listed.is_empty() {
                        self.kept.remove(&change.key);
                    }
                }
                None => {
                    self.kept.remove(&change.key);
                    self.listed.remove(&change.key);
                }
            }
        }
        if self.listed.is_empty() {
            self.keep(before, now);
        }
    }

    fn keep(&mut self, before: Listed, now: Instant) {
        let until = now + self.grace;
        for (key, instance) in before {
            self.kept.entry(key).or_insert((instance, until));
        }
        self.kept.retain(|key, _| !self.listed.contains_key(key));
    }

    /// The instances to call now.
    fn instances(&mut self, now: Instant) -> Vec<Instance> {
        self.kept.retain(|_, (_, until)| *until > now);
        let kept = self.kept.values().map(|(instance, _)| instance);
        self.listed.values().chain(kept).cloned().collect()
    }

    /// When the next grace period ends.
    fn grace_end(&self) -> Option<Instant> {
        self.kept.values().map(|(_, until)| *until).min()
    }
}

/// Waits until `deadline`, or forever without one.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
