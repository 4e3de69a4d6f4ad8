//! The background task of a process that writes: renews its leases, makes missing epochs, and removes dead writers.
//!
//! Every writing process runs it. A candidate key in Redis lets only one make an epoch at a time. The database tells which writers there
//! are, because that is where they write: a writer that can't reach Redis isn't dead.

use std::{future::Future, sync::Weak, time::Duration};

use tokio::{sync::watch, time::MissedTickBehavior};

use super::{
    Bucket, Found, Leases, PERIOD, SET_TTL,
    scripts::{BEGIN_SCRIPT, MAKE_SCRIPT, REMOVE_SCRIPT},
};
use crate::{Reply, ScriptCall, Value};

/// How long a killed keeper blocks others, besides the time that an epoch waits.
const CANDIDATE_TTL: Duration = Duration::from_secs(5);

/// The state of a writer whose lease has run out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriterStatus {
    /// It is alive, and may still acknowledge writes that it can't tell Redis.
    Alive,
    /// It is gone, and everything it acknowledged is in Redis.
    Gone,
    /// It is gone, and may have acknowledged something that isn't in Redis.
    GoneDirty,
}

/// The content of a new epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EpochBase {
    /// All writers.
    pub writers: Vec<String>,
    /// "seq gtid" of a commit that was made and acknowledged after the writers were listed.
    pub commit: String,
}

/// The writers as the database knows them. `name` is the name of the leases. Every method returns `None` when the database is
/// unavailable.
pub trait Registry: Send + Sync + 'static {
    /// The id under which this process is registered as a writer.
    fn id(&self, name: &'static str) -> impl Future<Output = Option<String>> + Send;
    /// The status of these writers. One that is reported gone can't acknowledge anything from now on.
    fn statuses(
        &self,
        name: &'static str,
        ids: &[String],
    ) -> impl Future<Output = Option<Vec<(String, WriterStatus)>>> + Send;
    /// The content of a new epoch. `None` also where commits have no GTIDs.
    fn epoch_base(&self, name: &'static str) -> impl Future<Output = Option<EpochBase>> + Send;
    /// Called when these writers were removed from Redis.
    fn removed(&self, name: &'static str, ids: &[String]) -> impl Future<Output = ()> + Send;
}

/// What the last renewal found wrong with a bucket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct BucketDefects {
    lacks_epoch: bool,
    run_out: Vec<String>,
}

impl Leases {
    /// Renews the leases and makes epochs until the leases are dropped. Run it in a task of its own.
    pub async fn keep(leases: Weak<Self>, registry: impl Registry) {
        let seen = watch::Sender::new(Vec::new());
        tokio::select! {
            () = renew_forever(&leases, &registry, &seen) => {}
            () = repair(&leases, &registry, seen.subscribe()) => {}
        }
    }

    fn calls<'a>(
        &self,
        buckets: impl Iterator<Item = &'a Bucket>,
        arguments: &[String],
    ) -> Vec<ScriptCall> {
        buckets
            .map(|bucket| (bucket.keys(), arguments.to_vec()))
            .collect()
    }

    async fn repair_once(&self, registry: &impl Registry, seen: &[BucketDefects]) {
        let mut run_out: Vec<String> = seen
            .iter()
            .flat_map(|defects| defects.run_out.clone())
            .collect();
        run_out.sort_unstable();
        run_out.dedup();
        let lacks_by_removal = match run_out.is_empty() {
            true => false,
            false => self.remove_dead(registry, &run_out).await,
        };
        if lacks_by_removal || seen.iter().any(|defects| defects.lacks_epoch) {
            self.make_missing(registry).await;
        }
    }

    /// Removes dead writers. Returns whether an epoch was removed with them.
    async fn remove_dead(&self, registry: &impl Registry, run_out: &[String]) -> bool {
        let Some(statuses) = registry.statuses(self.name, run_out).await else {
            return false;
        };
        let with = |wanted: WriterStatus| -> Vec<String> {
            let of = statuses.iter().filter(|(_, status)| *status == wanted);
            of.map(|(id, _)| id.clone()).collect()
        };
        let (gone, dirty) = (with(WriterStatus::Gone), with(WriterStatus::GoneDirty));
        self.remove(registry, &gone, false).await;
        // Until they are removed, readers trust nothing. The next epoch is newer than all that they acknowledged.
        self.remove(registry, &dirty, true).await;
        !dirty.is_empty()
    }

    async fn remove(&self, registry: &impl Registry, ids: &[String], with_epoch: bool) {
        if ids.is_empty() {
            return;
        }
        let mut arguments = vec![u8::from(with_epoch).to_string()];
        arguments.extend_from_slice(ids);
        let calls = self.calls(self.buckets.iter(), &arguments);
        let replies = self.client.run_lease_script(&REMOVE_SCRIPT, &calls).await;
        if replies.is_ok_and(|replies| replies.iter().all(Result::is_ok)) {
            tracing::info!(leases = self.name, writers = ?ids, with_epoch, "writers that are gone removed");
            registry.removed(self.name, ids).await;
        }
    }

    async fn make_missing(&self, registry: &impl Registry) {
        let token = format!("{:016x}", rand::random::<u64>());
        let ttl = self.wait.saturating_add(CANDIDATE_TTL).as_millis();
        let calls = self.calls(self.buckets.iter(), &[token.clone(), ttl.to_string()]);
        let replies = self.client.run_lease_script(&BEGIN_SCRIPT, &calls).await;
        let Ok(replies) = replies else { return };
        let missing: Vec<&Bucket> = (self.buckets.iter().zip(replies))
            .filter_map(|(bucket, reply)| is_one(&reply).then_some(bucket))
            .collect();
        if missing.is_empty() {
            return;
        }
        // After this wait every replica in rotation has what was written before.
        tokio::time::sleep(self.wait).await;
        // If it fails, the candidate keys expire.
        let Some(EpochBase { writers, commit }) = registry.epoch_base(self.name).await else {
            return;
        };
        let mut arguments = vec![token, commit, SET_TTL.as_millis().to_string()];
        arguments.extend(writers);
        let calls = self.calls(missing.iter().copied(), &arguments);
        if let Ok(replies) = self.client.run_lease_script(&MAKE_SCRIPT, &calls).await {
            let made = replies.iter().filter(|reply| is_one(reply)).count();
            tracing::info!(
                leases = self.name,
                made,
                missing = missing.len(),
                "epochs made"
            );
        }
    }
}

/// Renews the leases until they are dropped, and reports what it found.
async fn renew_forever(
    leases: &Weak<Leases>,
    registry: &impl Registry,
    seen: &watch::Sender<Vec<BucketDefects>>,
) {
    let mut tick = tokio::time::interval(PERIOD);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let Some(leases) = leases.upgrade() else {
            return;
        };
        let Some(id) = registry.id(leases.name).await else {
            continue;
        };
        let (mut found, is_ready) = leases.renew(&id).await;
        if is_ready {
            (found, _) = leases.renew(&id).await;
        }
        seen.send_replace(found.into_iter().map(BucketDefects::of).collect());
    }
}

/// Repairs what the renewals found, forever. The renewals don't wait for it.
async fn repair(
    leases: &Weak<Leases>,
    registry: &impl Registry,
    mut seen: watch::Receiver<Vec<BucketDefects>>,
) {
    while seen.changed().await.is_ok() {
        let defects = seen.borrow_and_update().clone();
        let Some(leases) = Weak::upgrade(leases) else {
            return;
        };
        if defects
            .iter()
            .any(|bucket| *bucket != BucketDefects::default())
        {
            leases.repair_once(registry, &defects).await;
        }
    }
}

impl BucketDefects {
    fn of(found: Option<Found>) -> Self {
        found.map_or_else(Self::default, |found| Self {
            lacks_epoch: !found.is_whole,
            run_out: found.run_out,
        })
    }
}

fn is_one(reply: &Reply<Value>) -> bool {
    matches!(reply, Ok(Value::Integer(1)))
}
