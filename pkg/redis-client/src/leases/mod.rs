//! Leases of the processes that write to Redis: readers trust what they find only while every writer is known to be able to write.
//!
//! Each writer renews a lease in Redis. A writer that fails to write stops renewing. It acknowledges the write when the wrong keys are
//! deleted, or when its lease has surely run out ([`Leases::settled`]). Readers trust nothing while a lease has run out or the *epoch* is
//! missing. So Redis that is away, read-only, full, or unreachable for one process alone ends the trust of all readers.
//! `dal/src/counters/mod.rs` explains the races one by one.

mod keeper;
mod scripts;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, time::Instant};

use crate::{Client, KeyGroup, Reply, ScriptCall, Value};

pub use keeper::{EpochBase, Registry, WriterStatus};
pub use scripts::READING;
use scripts::{LEAVE_SCRIPT, RENEW_SCRIPT};

/// The TTL of a lease. A writer that can't write to Redis waits this long before it acknowledges; it is well below the deadline of a
/// write.
pub const LEASE_TTL: Duration = Duration::from_secs(2);
/// Added to the wait for the end of a lease, because clocks differ in speed.
const MARGIN: Duration = Duration::from_millis(50);
/// Time between two renewals.
const PERIOD: Duration = Duration::from_millis(500);
/// The set of writers expires after this time without a renewal. Without the set, readers trust nothing.
const SET_TTL: Duration = Duration::from_secs(24 * 3600);
/// Renewals that must succeed before a failed writer takes a lease again. Otherwise, with a Redis that comes and goes, every other write
/// would wait for the end of a lease.
const PROBES_AFTER_FAILURE: u32 = 2;

/// The keys that decide whether a bucket may be trusted. All are in the slot of the bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// The epoch. It must exist, and it names a commit that is newer than all that may be missing here.
    pub epoch: String,
    /// Names the keeper that is making an epoch.
    candidate: String,
    /// The sorted set of writers.
    pub leases: String,
}

impl Bucket {
    /// The bucket whose keys begin with `prefix`, which contains a hash tag.
    pub fn new(prefix: &str) -> Self {
        let epoch = format!("{prefix}:epoch");
        Self {
            candidate: format!("{epoch}:candidate"),
            leases: format!("{prefix}:leases"),
            epoch,
        }
    }

    /// The keys to delete so that readers trust nothing in the bucket: the epoch, and the candidate for the next one.
    pub fn trust(&self) -> KeyGroup {
        vec![self.epoch.clone(), self.candidate.clone()]
    }

    fn keys(&self) -> Vec<String> {
        vec![
            self.epoch.clone(),
            self.candidate.clone(),
            self.leases.clone(),
        ]
    }
}

/// How a failed write to Redis was made harmless.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// The wrong keys are deleted.
    Deleted,
    /// The leases of this process have run out. They were under these ids, and each set of writers has one of them, unless it was
    /// removed there or the set was lost. Readers trust nothing while it is there.
    RunOut(Vec<String>),
}

/// The leases on one database.
pub struct Leases {
    client: Arc<Client>,
    /// The name; other databases have leases of another name.
    name: &'static str,
    buckets: Vec<Bucket>,
    /// How long the making of an epoch waits.
    wait: Duration,
    held: Mutex<Held>,
    /// Whether this process is registered in all buckets.
    is_registered: watch::Sender<bool>,
    /// Held during a renewal and while leaving.
    renewing: tokio::sync::Mutex<()>,
}

/// What this process knows of its own leases.
#[derive(Default)]
struct Held {
    id: Option<String>,
    /// A former id, which may still be registered.
    former: Option<String>,
    /// The ids that may be registered: the last one that was in all buckets, and those under which a lease was asked for since. An answer
    /// may be lost, so a set may have a later one in place of an earlier one.
    leased: Vec<String>,
    /// One for each bucket.
    slots: Vec<Slot>,
    /// Whether it was ever registered in all buckets, under whatever id.
    was_registered: bool,
    has_left: bool,
}

#[derive(Debug, Clone, Default)]
struct Slot {
    /// The server's time in ms, and a local moment that isn't earlier.
    clock: Option<(u64, Instant)>,
    /// Whether the set contains the current id.
    is_registered: bool,
    /// Renewals that must succeed before it takes a lease.
    probes: u32,
}

/// What a renewal found in a bucket.
#[derive(Debug)]
struct Found {
    now_ms: u64,
    is_whole: bool,
    run_out: Vec<String>,
}

impl Leases {
    /// Takes no lease before [`Self::keep`] runs. `wait`: how long the making of an epoch waits where commits can't be compared.
    pub fn new(
        client: Arc<Client>,
        name: &'static str,
        buckets: Vec<Bucket>,
        wait: Duration,
    ) -> Arc<Self> {
        let slot = Slot {
            probes: 1,
            ..Slot::default()
        };
        let held = Held {
            slots: vec![slot; buckets.len()],
            ..Held::default()
        };
        client.guard_by(buckets.iter().map(Bucket::trust).collect());
        Arc::new(Self {
            client,
            name,
            buckets,
            wait,
            held: Mutex::new(held),
            is_registered: watch::Sender::new(false),
            renewing: tokio::sync::Mutex::default(),
        })
    }

    /// Waits until a failed write of this process can't mislead a reader: the wrong keys are deleted, or its lease has surely run out.
    /// Waits forever if neither can happen: it never had a lease, and Redis stays away.
    pub async fn settled(&self) -> Settled {
        tokio::select! {
            biased;
            () = self.client.deletions_done() => Settled::Deleted,
            ids = self.run_out() => Settled::RunOut(ids),
        }
    }

    async fn run_out(&self) -> Vec<String> {
        if !self.was_registered() {
            return std::future::pending().await;
        }
        loop {
            // No lease is renewed while a deletion is pending.
            let ends = self.client.lease_ends();
            if let Some(ends) = ends {
                tokio::time::sleep_until(ends + MARGIN).await;
            }
            // Locked: no lease is asked for between the two.
            let held = self.held();
            if self.client.lease_ends() == ends {
                return held.leased.clone();
            }
        }
    }

    /// Waits until it is registered.
    pub async fn join(&self) {
        // It fails only when the sender is dropped, which `self` holds.
        let _ = self.is_registered.subscribe().wait_for(|is| *is).await;
    }

    /// Whether this process was ever registered as a writer in all buckets. If so, others may trust Redis because of a lease that it has
    /// taken, also while it has a new id that isn't registered yet.
    pub fn was_registered(&self) -> bool {
        self.held().was_registered
    }

    /// Ends the registration of a process that writes no more. False if Redis is unavailable or a deletion is pending: then a keeper will
    /// remove it.
    pub async fn leave(&self) -> bool {
        let _alone = self.renewing.lock().await;
        let id = {
            let mut held = self.held();
            held.has_left = true;
            held.id.clone()
        };
        let Some(id) = id else { return true };
        if !self.client.has_nothing_pending() {
            return false;
        }
        let call = |bucket: &Bucket| (bucket.keys(), vec![id.clone()]);
        let calls: Vec<ScriptCall> = self.buckets.iter().map(call).collect();
        let replies = self.client.run_lease_script(&LEAVE_SCRIPT, &calls).await;
        replies.is_ok_and(|replies| replies.iter().all(Result::is_ok))
    }

    /// Renews in all buckets at once. Returns what it found in each (`None` where it failed), and whether a lease can be taken now.
    async fn renew(&self, id: &str) -> (Vec<Option<Found>>, bool) {
        let _alone = self.renewing.lock().await;
        let Some(calls) = self.renewals(id) else {
            return (self.buckets.iter().map(|_| None).collect(), false);
        };
        let replies = self.client.run_lease_script(&RENEW_SCRIPT, &calls).await;
        let answered = Instant::now();
        let mut replies = replies.unwrap_or_default().into_iter();
        let mut held = self.held();
        let (mut found, mut is_ready, mut is_whole) = (Vec::new(), false, true);
        for (slot, (_, arguments)) in held.slots.iter_mut().zip(&calls) {
            let reply = replies.next().and_then(Found::parse);
            let has_renewed = arguments.get(1).is_some_and(|ends| !ends.is_empty());
            match &reply {
                Some(found) => {
                    slot.clock = Some((found.now_ms, answered));
                    slot.is_registered |= has_renewed;
                    is_ready |= !has_renewed && slot.probes == 1;
                    slot.probes = slot.probes.saturating_sub(1);
                }
                None => {
                    *slot = Slot {
                        clock: None,
                        probes: PROBES_AFTER_FAILURE,
                        ..*slot
                    };
                }
            }
            is_whole &= reply.is_some() && has_renewed;
            found.push(reply);
        }
        if is_whole {
            held.former = None;
        }
        let is_registered = held.slots.iter().all(|slot| slot.is_registered);
        held.was_registered |= is_registered;
        if is_registered {
            held.leased = vec![id.to_owned()];
        }
        drop(held);
        self.is_registered.send_replace(is_registered);
        (found, is_ready)
    }

    /// The calls of a renewal; `None` when this process has left. From now on it may hold a lease.
    fn renewals(&self, id: &str) -> Option<Vec<ScriptCall>> {
        let mut held = self.held();
        if held.has_left {
            return None;
        }
        if held.id.as_deref() != Some(id) {
            held.former = held.id.replace(id.to_owned());
            for slot in &mut held.slots {
                slot.is_registered = false;
            }
        }
        let is_ready = |slot: &Slot| slot.probes == 0 && slot.clock.is_some();
        // One moment: what the server is told must not end later than what is remembered here.
        let local_end = Instant::now() + LEASE_TTL;
        // The message names the end by the server's time. So however late it arrives, the lease ends no later than that.
        let holds = held.slots.iter().any(is_ready) && self.client.try_begin_lease(local_end);
        if holds && !held.leased.iter().any(|leased| leased == id) {
            held.leased.push(id.to_owned());
        }
        let ttl = LEASE_TTL.as_millis().to_string();
        let former = held.former.clone().unwrap_or_default();
        let calls = self.buckets.iter().zip(&held.slots).map(|(bucket, slot)| {
            let ends = slot.clock.filter(|_| holds && is_ready(slot));
            let ends = ends.map_or_else(String::new, |(server_ms, at)| {
                let until_end = local_end.saturating_duration_since(at).as_millis();
                (u128::from(server_ms) + until_end).to_string()
            });
            let arguments = vec![
                id.to_owned(),
                ends,
                ttl.clone(),
                former.clone(),
                SET_TTL.as_millis().to_string(),
            ];
            (bucket.keys(), arguments)
        });
        Some(calls.collect())
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Found {
    fn parse(reply: Reply<Value>) -> Option<Self> {
        let Value::Array(parts) = reply.ok()? else {
            return None;
        };
        let mut parts = parts.into_iter();
        let now_ms = parts.next()?.as_u64()?;
        let is_whole = parts.next()?.as_u64()? == 1;
        let Value::Array(run_out) = parts.next()? else {
            return None;
        };
        Some(Self {
            now_ms,
            is_whole,
            run_out: run_out.into_iter().filter_map(Value::into_string).collect(),
        })
    }
}
