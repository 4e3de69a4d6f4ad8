//! Deletion of keys whose state in Redis is unknown.
//!
//! A deletion that fails is pending: it is done before the client is used again.

use std::{
    sync::{Arc, MutexGuard, PoisonError, Weak, atomic::Ordering},
    time::Duration,
};

use fred::interfaces::{ClientLike as _, FredResult as Reply, KeysInterface as _};
use tokio::time::Instant;

use super::Client;
use crate::{KeyGroup, Unavailable, pending::Pending};

/// Between two probes of a suspended client.
const PROBE_PERIOD: Duration = Duration::from_millis(100);
/// Most groups of keys whose deletion is pending. If one more doesn't fit, the trust in all keys is deleted in its place.
const MAX_PENDING: usize = 65_536;
/// Groups of keys that are deleted in one round trip.
const MAX_KEYS_PER_DELETE: usize = 512;

impl Client {
    /// Deletes these keys. Those that can't be deleted now are pending.
    pub async fn invalidate(self: &Arc<Self>, keys: Vec<KeyGroup>) {
        self.count_invalidated(&keys);
        for chunk in keys.chunks(MAX_KEYS_PER_DELETE) {
            if self.delete(chunk).await.is_err() {
                self.add_pending(chunk.iter().cloned());
            }
        }
    }

    /// Deletes these keys now, or fails.
    async fn delete(self: &Arc<Self>, keys: &[KeyGroup]) -> Result<(), Unavailable> {
        self.run("delete", self.send_delete(keys)).await
    }

    /// Makes the deletion of these keys pending, without trying it now: the client has just failed.
    pub fn invalidate_later(self: &Arc<Self>, keys: Vec<KeyGroup>) {
        self.count_invalidated(&keys);
        self.add_pending(keys.into_iter());
    }

    /// Waits until no deletion is pending.
    pub(crate) async fn deletions_done(&self) {
        let mut suspended = self.suspended.subscribe();
        // It fails only when the sender is dropped, which `self` holds.
        let _ = suspended.wait_for(Option::is_none).await;
    }

    /// Whether the client may be used and no deletion is pending: then nothing in Redis is wrong because of this process.
    pub(crate) fn has_nothing_pending(&self) -> bool {
        self.pending().keys.is_empty() && !self.is_suspended()
    }

    /// Whether a lease that ends then may be asked for: only while no deletion is pending. If so, its end is remembered, and a write
    /// that fails from now on must wait for it.
    pub(crate) fn try_begin_lease(&self, ends: Instant) -> bool {
        let mut pending = self.pending();
        let may = pending.keys.is_empty() && !self.is_suspended();
        if may {
            pending.lease_ends = Some(ends);
        }
        may
    }

    /// When the newest lease that was asked for ends.
    pub(crate) fn lease_ends(&self) -> Option<Instant> {
        self.pending().lease_ends
    }

    fn count_invalidated(&self, keys: &[KeyGroup]) {
        let count = u64::try_from(keys.len()).unwrap_or(u64::MAX);
        self.invalidated.fetch_add(count, Ordering::Relaxed);
    }

    async fn send_delete(&self, keys: &[KeyGroup]) -> Reply<()> {
        let pipeline = self.client.pipeline();
        for key in keys {
            let () = pipeline.del(key.clone()).await?;
        }
        pipeline.all().await
    }

    /// Sets the keys without which readers trust nothing in this database: they are deleted when more deletions are pending than fit.
    pub(crate) fn guard_by(&self, trust: Vec<KeyGroup>) {
        self.pending().trust = trust;
    }

    fn add_pending(self: &Arc<Self>, keys: impl Iterator<Item = KeyGroup>) {
        let mut pending = self.pending();
        let mut all_fit = true;
        for group in keys {
            if pending.keys.len() < MAX_PENDING || pending.keys.contains(&group) {
                pending.keys.insert(group);
            } else {
                all_fit = false;
            }
        }
        if !all_fit {
            let trust = pending.trust.clone();
            pending.keys.extend(trust);
        }
        self.suspend(&"its state is unknown");
    }

    /// Deletes what is pending, or pings if nothing is. True when the client may be used again.
    async fn delete_pending(&self) -> bool {
        loop {
            if !self.client.is_connected() {
                return false;
            }
            // Taken out: a key that becomes pending from now on is deleted once more.
            let keys: Vec<KeyGroup> = {
                let mut pending = self.pending();
                let all = pending.keys.extract_if(|_| true);
                all.take(MAX_KEYS_PER_DELETE).collect()
            };
            let work = async {
                if keys.is_empty() {
                    self.ping_all().await
                } else {
                    self.send_delete(&keys).await
                }
            };
            let Ok(Ok(())) = tokio::time::timeout(self.deadline, work).await else {
                self.pending().keys.extend(keys);
                return false;
            };
            let pending = self.pending();
            if pending.keys.is_empty() {
                // Under the lock: a deletion that becomes pending from now on suspends the client again.
                self.suspended.send_replace(None);
                return true;
            }
        }
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tries to use a suspended client again and again, until it answers or is dropped.
    pub(super) async fn probe(client: Weak<Self>) {
        loop {
            let Some(client) = client.upgrade() else {
                return;
            };
            if client.delete_pending().await {
                tracing::info!(database = client.name, "Redis answers again");
                return;
            }
            drop(client);
            tokio::time::sleep(PROBE_PERIOD).await;
        }
    }
}
