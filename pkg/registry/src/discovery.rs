//! The instances of one service, as etcd has them: read whole, then watched from that revision on.
//!
//! Any break of the watch (etcd away, history compacted) is followed by reading the whole list again. What a deletion
//! names goes at once; what merely isn't in a list that was read again stays for a grace, because an etcd that lost its
//! data gets its services back within a lease; and the last instances stay for the grace however they went.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use etcd_client::{Client, EventType, GetOptions, WatchOptions};
use tokio::{sync::watch, time::Instant};

use crate::{Backoff, Instance, LONGEST_WAIT, RegistryError, login::log_in_again, within};

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

impl Instances {
    pub(crate) fn watch(
        client: Client,
        service: &str,
        prefix: String,
        lease_ttl: Duration,
    ) -> Self {
        let current = Arc::new(ArcSwap::from_pointee(Vec::new()));
        let (set_loaded, loaded) = watch::channel(false);
        let watcher = Watcher {
            client,
            service: service.to_owned(),
            prefix,
            view: View::new(lease_ttl + LONGEST_WAIT * 2),
            current: current.clone(),
            loaded: set_loaded,
        };
        let task = tokio::spawn(watcher.run()).abort_handle();
        Self(Arc::new(Shared {
            service: service.to_owned(),
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
    client: Client,
    service: String,
    prefix: String,
    view: View,
    current: Arc<ArcSwap<Vec<Instance>>>,
    loaded: watch::Sender<bool>,
}

impl Watcher {
    async fn run(mut self) {
        let mut backoff = Backoff::new();
        loop {
            match self.follow(&mut backoff).await {
                Ok(()) => {
                    tracing::info!(prefix = self.prefix, "watch ended, reading the list again")
                }
                Err(error) => {
                    tracing::warn!(prefix = self.prefix, %error, "watch broken, keeping the last list");
                    log_in_again(&self.client, &error).await;
                }
            }
            backoff.wait().await;
        }
    }

    /// Reads the list and follows its changes until the watch breaks.
    async fn follow(&mut self, backoff: &mut Backoff) -> Result<(), RegistryError> {
        let revision = self.load().await?;
        let options = WatchOptions::new()
            .with_prefix()
            .with_start_revision(revision + 1);
        let mut watch_client = self.client.watch_client();
        let mut stream = within(watch_client.watch(self.prefix.as_str(), Some(options))).await?;
        *backoff = Backoff::new();
        loop {
            let message = tokio::select! {
                message = stream.message() => message?,
                () = at(self.view.grace_end()) => {
                    self.publish();
                    continue;
                }
            };
            // Cancelled: above all because the history from our revision on was compacted.
            let Some(message) = message.filter(|message| !message.canceled()) else {
                return Ok(());
            };
            let changes = message.events().iter().filter_map(|event| {
                let kv = event.kv()?;
                let instance = match event.event_type() {
                    EventType::Put => Some(parse(kv)?),
                    EventType::Delete => None,
                };
                Some((kv.key_str().ok()?.to_owned(), instance))
            });
            self.view.apply(changes, Instant::now());
            self.publish();
        }
    }

    async fn load(&mut self) -> Result<i64, RegistryError> {
        let options = GetOptions::new().with_prefix();
        let answer = within(
            self.client
                .kv_client()
                .get(self.prefix.as_str(), Some(options)),
        )
        .await?;
        let listed = answer
            .kvs()
            .iter()
            .filter_map(|kv| Some((kv.key_str().ok()?.to_owned(), parse(kv)?)))
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
        telemetry::metrics::registry_instances(&self.service, next.len());
        if **self.current.load() != next {
            tracing::info!(prefix = self.prefix, instances = ?next, "instances changed");
            self.current.store(Arc::new(next));
        }
    }
}

fn parse(kv: &etcd_client::KeyValue) -> Option<Instance> {
    let instance = Instance::from_json(kv.value());
    if instance.is_none() {
        tracing::warn!(key = ?kv.key_str(), "an instance that can't be called is passed over");
    }
    instance
}

/// What etcd lists, and what it listed a moment ago.
struct View {
    listed: Listed,
    /// No longer listed, but used until the time.
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

    /// Changes in the order in which they happened; no instance is a deletion.
    fn apply(&mut self, changes: impl Iterator<Item = (String, Option<Instance>)>, now: Instant) {
        let before = self.listed.clone();
        for (key, instance) in changes {
            self.kept.remove(&key);
            match instance {
                Some(instance) => {
                    self.listed.insert(key, instance);
                }
                None => {
                    self.listed.remove(&key);
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

    /// What to call now.
    fn instances(&mut self, now: Instant) -> Vec<Instance> {
        self.kept.retain(|_, (_, until)| *until > now);
        let kept = self.kept.values().map(|(instance, _)| instance);
        self.listed.values().chain(kept).cloned().collect()
    }

    /// When the next grace ends.
    fn grace_end(&self) -> Option<Instant> {
        self.kept.values().map(|(_, until)| *until).min()
    }
}

/// Waits until then; for ever without a time.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
