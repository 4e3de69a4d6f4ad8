//! Counters in Redis, in front of the exact counts of MySQL ([`crate::counts`]).
//!
//! Redis is a cache that may be wrong for a moment and never for long; nothing is counted in it. Every value that is ever
//! written there is an exact count, read from MySQL in one statement, with the [`Position`] of a commit that it is known to
//! include. Of two values the one of the later commit wins, whatever the order in which they arrive: *set if newer*.
//!
//! Beside the counts is an *epoch*: the run of the Redis server, and a commit (below: the epoch's commit). A value counts only if its
//! position isn't before that commit. So a new epoch makes everything older worthless at once, and nothing need be deleted.
//!
//! # The rules of the original, kept
//!
//! Like counts and comment counts in logical databases of their own. Renew the expiry first: where that fails the key isn't
//! there, and is created. Creation is double-checked: an existing key costs no lock; for a missing one, one loader over all
//! instances takes a lock, looks again, and loads once. `SCAN`, never `KEYS`.
//!
//! # Why it goes beyond the original
//!
//! There Redis counts and a timer writes the counts to MySQL. So a crash loses what wasn't written yet, a like that comes
//! between the read and the write is lost, and a repeated message counts twice. Here a count exists as soon as, and only if, its
//! row is committed, with the ledger's delta in the same transaction; what travels is not "+1" but the result.
//!
//! # Why it is safe, race by race
//!
//! * *Two writers, messages in the wrong order, late, or twice.* Commits become visible in the order of their positions, and
//!   a writer counts after its own. So whoever has the highest position has counted all the others; the script keeps that one.
//! * *A loader reads, a writer commits and tells Redis, the loader stores.* The writer has created the key with a later position; the
//!   loader doesn't replace it.
//! * *As before, and the key is deleted in between* (its state was unknown, or `FLUSHALL`). Whoever deletes a counter deletes
//!   its lock, and a loader that has lost its lock stores nothing.
//! * *A writer's message is under way, and the key with a newer count is deleted.* The message creates the key with the older one.
//!   The comparison after the fold mends it; where that came before the message (the deadline of a command, at most), the next
//!   write or the next complete pass does.
//! * *A loader reads while a writer waits for its commit.* A loaded count has the position of the epoch's commit, as it was when the loader
//!   took the lock. It was read after that commit, so it includes all commits up to it; every writer that it lacks is later, and
//!   replaces it. The server's newest position would not do, for MariaDB tells it before that commit can be seen: a count stored
//!   under it would refuse the very writer that it lacks.
//! * *A new epoch is made while a loader reads, or while a writer's message is under way.* The loader finds another epoch than the one under
//!   which it took the lock, and stores nothing. What the message sets has an earlier position, and counts for nobody. The next reader
//!   loads anew.
//! * *A message is lost, a writer is killed after its commit.* Its delta is in the ledger: the fold finds it, and compares
//!   the counter afterwards ([`Counters::compare`]). If Redis is away then, the row stays dirty and is compared later.
//! * *A command times out.* Whether it ran, or will, is unknown. The key is deleted as soon as Redis answers, on the same
//!   connection and so after the command; until then this process doesn't use Redis.
//! * *A comparison and a writer at once.* A key that a commit after the comparison's position has brought is left alone, and
//!   a wrong one is replaced only while it is exactly what was found. At worst the writer's delta is still in the ledger, and
//!   the next fold compares again.
//! * *A comparison, a writer and a deletion at once.* The comparison reads on a replica that lacks the writer's commit. If the writer's key
//!   is deleted meanwhile and the count loaded anew, the right count has the position of the epoch's commit, and the comparison may
//!   replace it with its older one. The writer's delta is still in the ledger then: the comparison after the next fold corrects it.
//! * *Redis comes back empty.* Everything is loaded or written anew. *With yesterday's data, or a server takes over that lacks the last
//!   writes:* that is another run, so nobody trusts it until a new epoch is made. Its commit is newer than all that was in those
//!   data, so none of it counts. The folder also makes a complete pass ([`Counters::scan_pass`]), as it does at start, hourly, and
//!   after Redis was away.
//! * *An older dump is restored, and Redis isn't emptied.* The epoch's commit and the counts are of commits that the database doesn't have,
//!   and would refuse every writer. The first complete pass ends that epoch and deletes such counts. It ends the epoch first: from then on
//!   no loader stores a count under it, where the pass has looked already.
//! * *Below 0?* Every value is a sum over committed rows, of which each is removed once.
//!
//! # Why a reader may trust Redis at all, race by race
//!
//! The above is about a writer that reaches Redis, or comes back. Until it does, others would read old counts and miss marks. So each
//! process that writes holds a lease in each database of Redis, and readers trust nothing while one has run out, or without an epoch of
//! this run of the server ([`redis_client::leases`]; what is said here holds for the marks as well). Untrusted, counts come from
//! MySQL, and rows from the primary.
//!
//! * *A writer can't tell Redis of a commit* (read-only, too few replicas, a full disk, a time-out, cut off, alone or with all). It
//!   owes a deletion from now on, and as long as it owes one it renews no lease. It acknowledges when the deletion is paid, or when
//!   its last lease has run out by its own clock: then the readers trust nothing. Whoever reads before the acknowledgement may
//!   miss the commit.
//! * *A renewal is late*: it waits in a socket, Redis stands still. A renewal names the end of the lease by the server's clock, from
//!   an earlier answer of the server and the time since: whenever it arrives, the lease ends when its sender believes.
//! * *The remembered end and the one that is told.* Both are computed from one reading of the clock, made before the lease is asked for.
//! * *The server restarts within the TTL of a lease, or another server takes over.* The leases in its data may still hold; but its
//!   epoch is of another run, which the script of the readers sees.
//! * *The server's clock is set back, or another server takes over.* An end further away than a lease can be counts as run out at
//!   the next renewal by anybody, so does every lease of another run of the server. (Set back by less than a lease's TTL, a lease
//!   may last so much longer: clocks are slewed, not set.)
//! * *A writer comes back.* It pays what it owes first. Only then it renews, and only then readers trust. What becomes due while it pays is
//!   paid after that. If it owes more keys than it can remember, it owes the epoch: the next one's commit is newer than all that it
//!   couldn't tell.
//! * *A writer is killed.* Its lease runs out, and readers trust nothing until it is removed. The primary knows that it is dead: a
//!   lock by name belongs to its connection. Its row there tells whether it ever acknowledged something untold. If not, it is
//!   removed. If so, the epoch is removed with it, in one script. The next epoch's commit is newer than all that it acknowledged, so no
//!   count that lacks one of those commits counts, and every mark is covered.
//! * *A writer is cut off, and others think it dead* (its connection to the primary broke as well). Whoever finds a writer dead
//!   notes that in its row before anything else. Whoever acknowledges by the end of its lease looks at its own row after the
//!   commit: still there as it was, then it is removed later, and what is done at the removal covers the commit. Otherwise it
//!   doesn't acknowledge.
//! * *It is noted as owing nothing and acknowledges something untold meanwhile.* It notes that it owes in the same row first: one of
//!   the two comes first.
//! * *The set of leases is lost*: `FLUSHALL`, eviction, an empty restart. The epoch is gone, too, or the member is by which a whole set
//!   is known. A new epoch is made after all live writers were read from the primary; each of them is in the set again, as run
//!   out, until it renews. Who registers first in the primary and then in Redis can't be passed over. A dead one isn't in the new set;
//!   whatever it acknowledged is older than the new epoch's commit.
//! * *A process starts.* It counts on its lease only after it has been in the set. One that never reaches Redis acknowledges when all
//!   replicas have the commit; its counts are right after the fold's comparison.
//! * *A process has lost its lock by name, and has a new id that isn't in the set yet*, because it doesn't reach Redis. It goes on to
//!   acknowledge by the end of its lease, which was under the old id, and looks at the row of that one. A new id leaves that row as it
//!   is. Whoever finds the old one dead (to remove it, or to make an epoch without it) notes it there before anything else: the process
//!   finds that, and acknowledges nothing more that Redis wasn't told. Otherwise the old id is in the set, run out. What is done at
//!   its removal covers the commit; if the set is lost, the next epoch does, which is made after the old one was found dead.
//! * *A renewal puts the new id into the set in place of the old one, and its answer is lost.* The process takes the old one for
//!   registered, and others would remove the new one as owing nothing. So the ids that count are the last one that was known to be in all
//!   sets and every one under which a lease was asked for since. It notes in all of their rows that it owes, and acknowledges only if it
//!   finds all of them so.
//! * *A reader trusts, and trust ends while its answer is on the way.* The script looks at leases and values at one moment; what is
//!   acknowledged after that moment was acknowledged after the read began.
//! * *A loader loads while nobody trusts.* It does so under a lock that was taken before, and stores an exact count. What it may
//!   lack is deleted together with its lock, by whoever owes that deletion; if that one dies, its position is before the next epoch.
//! * *A server without GTIDs*: no epoch is ever made, so nothing is trusted. Writers delete what they can't order.

mod calls;
mod compare;
mod entry;
mod load;
mod scripts;
mod stats;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, sync::Arc, time::Duration};

use redis_client::{
    Client, Unavailable, Value,
    leases::{Bucket, Leases},
};
use sea_orm::{DbErr, RuntimeErr};

pub use compare::Pass;
pub use stats::Stats;

use crate::{
    DalError, Db,
    counts::{self, Counter},
    position::Position,
};
use entry::{Keys, clamped, now_s, without_value};
use scripts::{COMMIT_SCRIPT, RENEW_SCRIPT};
use stats::Tally;

/// What the databases and the leases on them are called.
const FAVORITES: &str = "favorites";
const COMMENTS: &str = "comments";
/// Keys in one call of a script: well within what Lua can pass on.
const MAX_KEYS: usize = 1000;

/// The counters. Cheap to clone; one a process.
#[derive(Clone)]
pub struct Counters {
    db: Db,
    favorites: Arc<Client>,
    comments: Arc<Client>,
    /// On the same two.
    leases: [Arc<Leases>; 2],
    keys: Keys,
    ttl_s: u64,
    tally: Arc<Tally>,
}

impl Counters {
    /// Connects in the background, for ever: Redis may be away, then MySQL answers. Must be called in a tokio runtime. An error is
    /// a URL that can't be read.
    pub fn connect(redis: &settings::Redis, db: Db) -> Result<Self, DalError> {
        let open = |name, database| {
            Client::open(name, redis, database).map_err(|error| {
                DalError::Unavailable(DbErr::Conn(RuntimeErr::Internal(error.to_string())))
            })
        };
        let favorites = open(FAVORITES, redis.favorites_db)?;
        let comments = open(COMMENTS, redis.comments_db)?;
        let keys = Keys {
            prefix: redis.key_prefix.clone(),
            is_cluster: favorites.is_cluster(),
        };
        db.start_registration();
        let leases = [(&favorites, FAVORITES, 'f'), (&comments, COMMENTS, 'c')];
        let leases = leases.map(|(client, name, database)| {
            let bucket = |bucket| keys.lease_bucket(database, bucket);
            let buckets: Vec<Bucket> = (0..keys.buckets()).map(bucket).collect();
            let leases = Leases::new(client.clone(), name, buckets, Duration::ZERO);
            vital::spawn(
                "keeper of counters",
                Leases::keep(Arc::downgrade(&leases), db.clone()),
            );
            leases
        });
        Ok(Self {
            db,
            favorites,
            comments,
            leases,
            keys,
            ttl_s: redis.counter_ttl_s,
            tally: Arc::default(),
        })
    }

    /// The values of these counters; all of them are in the answer, 0 or more. From Redis in one round trip a database; what isn't
    /// there is loaded, by one reader over all instances. Redis away: from MySQL; for Redis it waits once, and only the readers
    /// that are there when it goes away.
    pub async fn read(&self, counters: &[Counter]) -> Result<HashMap<Counter, i64>, DalError> {
        match self.look_up(counters).await {
            Ok(mut values) => {
                let missing = distinct(without_value(counters, &values));
                if !missing.is_empty() {
                    values.extend(self.create(&missing).await?);
                }
                Ok(values)
            }
            Err(Unavailable) => self.exact(&distinct(counters.to_vec())).await,
        }
    }

    /// Sends the counts after a commit to Redis. `position` is that of the commit. `exact_now` was read after it, in one statement. Call
    /// this before the commit is acknowledged. False: Redis may hold old counts until the deletion that is now pending is done. Takes at
    /// most the deadline of one command.
    pub async fn publish_commit(
        &self,
        position: Position,
        exact_now: &HashMap<Counter, i64>,
    ) -> bool {
        let counters: Vec<Counter> = exact_now.keys().copied().collect();
        let (now, expiry) = (now_s().to_string(), self.expiry_ms());
        let call = |counters: &[Counter]| {
            let head = [position.seq.to_string(), now.clone(), expiry.clone()];
            let counts = counters.iter().map(|counter| {
                clamped(exact_now.get(counter).copied().unwrap_or_default()).to_string()
            });
            let arguments = head.into_iter().chain(counts).collect();
            (self.keys_of(counters), arguments)
        };
        let tell = async |(client, counters): (&Arc<Client>, Vec<Counter>)| {
            let groups = self.groups(counters);
            let calls: Vec<_> = groups.iter().map(|group| call(group)).collect();
            let replies = client.run_script(&COMMIT_SCRIPT, &calls).await;
            // A call that has failed may have set some of its counters.
            let failed: Vec<Counter> = match replies {
                Ok(replies) => groups
                    .into_iter()
                    .zip(replies)
                    .filter(|(_, reply)| reply.is_err())
                    .flat_map(|(group, _)| group)
                    .collect(),
                Err(Unavailable) => groups.into_iter().flatten().collect(),
            };
            if !failed.is_empty() {
                client.invalidate_later(self.with_locks(&failed));
            }
            failed.is_empty()
        };
        let [favorites, comments] = self.by_client(&counters);
        let told = tokio::join!(tell(favorites), tell(comments));
        told == (true, true)
    }

    /// Waits until no reader can get counts from Redis that lack an earlier commit. Returns whether that is certain. A process that was
    /// never registered in Redis returns true without waiting; there the comparison after the fold repairs the counts.
    pub(crate) async fn settled(&self) -> Result<bool, DalError> {
        let settled = async |leases: &Leases, name| {
            if !leases.was_registered() {
                return Ok(true);
            }
            self.db.is_settled(name, leases.settled().await).await
        };
        let [favorites, comments] = &self.leases;
        let (favorites, comments) =
            tokio::try_join!(settled(favorites, FAVORITES), settled(comments, COMMENTS))?;
        Ok(favorites && comments)
    }

    /// Waits until it is known in both databases that this process counts.
    pub(crate) async fn join(&self) {
        let [favorites, comments] = &self.leases;
        tokio::join!(favorites.join(), comments.join());
    }

    /// For a process that counts no more.
    pub(crate) async fn leave(&self) {
        let leave = async |leases: &Leases, name| {
            if leases.leave().await {
                self.db.deregister(name).await;
            }
        };
        let [favorites, comments] = &self.leases;
        tokio::join!(leave(favorites, FAVORITES), leave(comments, COMMENTS));
    }

    /// Deletes these counters from Redis, after a commit whose outcome or counts are unknown. If Redis is away, they are deleted later.
    pub async fn invalidate(&self, counters: &[Counter]) {
        let [favorites, comments] = self.by_client(counters);
        let invalidate = async |(client, counters): (&Arc<Client>, Vec<Counter>)| {
            if !counters.is_empty() {
                client.invalidate(self.with_locks(&counters)).await;
            }
        };
        tokio::join!(invalidate(favorites), invalidate(comments));
    }

    /// For a server without GTIDs: deletes these, and ends the trust in all others. No epoch is made there.
    pub(crate) async fn revoke_trust(&self, counters: &[Counter]) {
        self.invalidate(counters).await;
        self.end_epochs().await;
    }

    /// Ends the trust in all counts, until new epochs are made.
    async fn end_epochs(&self) {
        let end = self.databases().map(|(client, database)| {
            let buckets = 0..self.keys.buckets();
            let trust = buckets.map(|bucket| self.keys.lease_bucket(database, bucket).trust());
            client.invalidate(trust.collect())
        });
        futures::future::join_all(end).await;
    }

    /// What tells one life of the Redis server from another; none while it is away.
    pub async fn run_id(&self) -> Option<String> {
        self.favorites.run_id().await
    }

    /// Whether both databases in Redis answer now; without them MySQL does.
    /// The error says no more than that.
    pub async fn ping(self) -> Result<(), &'static str> {
        let answers = tokio::try_join!(self.favorites.ping(), self.comments.ping());
        answers.map(drop).map_err(|Unavailable| "no answer")
    }

    /// What happened so far, in this process.
    pub fn stats(&self) -> Stats {
        self.tally
            .stats([self.favorites.stats(), self.comments.stats()])
    }

    /// What Redis has of these counters; renews in the background what wasn't for long. Unavailable also while it can't be trusted.
    async fn look_up(&self, counters: &[Counter]) -> Result<HashMap<Counter, i64>, Unavailable> {
        let long_ago = now_s().saturating_sub(self.ttl_s.div_ceil(2));
        let (mut values, mut old) = (HashMap::new(), Vec::new());
        for (counter, entry) in self.trusted(counters).await? {
            values.insert(counter, entry.count);
            if entry.renewed_s < long_ago {
                old.push(counter);
            }
        }
        self.tally.hits.add(values.len());
        if !old.is_empty() {
            tokio::spawn(self.clone().renew(old, long_ago));
        }
        Ok(values)
    }

    async fn renew(self, counters: Vec<Counter>, long_ago: u64) {
        let arguments = [now_s().to_string(), self.expiry_ms(), long_ago.to_string()];
        let renewed = self
            .run_scripts(&RENEW_SCRIPT, &counters, |_, key| {
                (vec![key], arguments.to_vec())
            })
            .await;
        // Otherwise the next hit tries again.
        if let Ok(replies) = renewed {
            let renewed = |(_, reply): &&(_, _)| matches!(reply, Ok(Value::Integer(1)));
            self.tally
                .renewals
                .add(replies.iter().filter(renewed).count());
        }
    }

    /// From MySQL, past Redis.
    async fn exact(&self, counters: &[Counter]) -> Result<HashMap<Counter, i64>, DalError> {
        let exact = counts::exact(&self.db, counters).await?;
        self.tally.exact_reads.add(exact.len());
        Ok(exact.into_iter().map(|(c, n)| (c, clamped(n))).collect())
    }
}

impl From<Unavailable> for DalError {
    fn from(away: Unavailable) -> Self {
        Self::Unavailable(DbErr::Conn(RuntimeErr::Internal(away.to_string())))
    }
}

fn distinct(mut counters: Vec<Counter>) -> Vec<Counter> {
    counters.sort_unstable();
    counters.dedup();
    counters
}
