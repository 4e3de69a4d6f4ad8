//! Metrics of the databases, Redis, the counters and the object store.

use std::{borrow::Cow, time::Duration};

use metrics::{counter, gauge, histogram};

use super::{
    families as name,
    recorder::{label, sample},
};

label! {
    /// What a statement was sent for, as its caller says it.
    Verb {
        /// Writes.
        Write = "write",
        /// Reads that may be a little old.
        Read = "read",
        /// Reads that must see acknowledged writes, or decide one.
        ReadOwnWrites = "read_own_writes",
        /// What no request waits for: folding, health.
        Background = "background",
    }
}

label! {
    /// Why a statement went where it went.
    Routing {
        /// The verb has only this server.
        Verb = "verb",
        /// A replica is good enough, and one is well.
        Replica = "replica",
        /// A replica would be good enough, but none is in rotation.
        NoReplica = "no_replica",
        /// A replica was asked and failed.
        ReplicaFailed = "replica_failed",
        /// A replica was asked and lacks a migration.
        SchemaBehind = "schema_behind",
        /// A replica was asked and lacks a row that another row refers to.
        RowMissing = "row_missing",
        /// Exact counts that Redis can't be trusted with, or lacks.
        ExactCounts = "exact_counts",
        /// Marked as just written, and a replica has it already.
        CaughtUp = "caught_up",
        /// Marked as just written, and no replica had it in time.
        Marked = "marked",
        /// The marks can't be read, so everything counts as marked, and no replica had it in time.
        MarksUnknown = "marks_unknown",
        /// The marks can't be read; a replica has all that the primary had when the read began.
        AsOfNow = "as_of_now",
    }
}

label! {
    /// How a statement failed.
    SqlFailure {
        /// No connection, or it broke.
        Connection = "connection",
        /// Not within its deadline, or no connection in time.
        TimedOut = "timed_out",
        /// A deadlock or a lock time-out.
        Conflict = "conflict",
        /// A unique key holds the value: part of the plan.
        Duplicate = "duplicate",
        /// Anything else.
        Other = "other",
    }
}

label! {
    /// How a round trip to Redis ended.
    RedisOutcome {
        /// With an answer.
        Ok = "ok",
        /// With an error.
        Failed = "failed",
        /// Not within its limit.
        TimedOut = "timed_out",
        /// It wasn't sent, for Redis counts as away.
        Unavailable = "away",
    }
}

label! {
    /// Where a count came from.
    CountSource {
        /// Redis had it.
        Redis = "redis",
        /// MySQL, and Redis has it now.
        Loaded = "loaded",
        /// MySQL, past Redis.
        Mysql = "mysql",
    }
}

label! {
    /// How a round of the folder ended.
    FoldOutcome {
        /// The ledger had rows.
        Folded = "folded",
        /// It had none.
        Idle = "idle",
        /// Another process was at it.
        Elsewhere = "elsewhere",
        /// With an error.
        Failed = "failed",
    }
}

label! {
    /// What found a wrong count in Redis.
    Repair {
        /// The comparison after a fold.
        Fold = "fold",
        /// A pass over all of Redis.
        Pass = "pass",
    }
}

label! {
    /// How a request to the object store ended.
    StoreOutcome {
        /// As asked.
        Ok = "ok",
        /// There is no such thing.
        NotFound = "not_found",
        /// The store says no.
        Refused = "refused",
        /// It can't be reached, or is in trouble.
        Unavailable = "unavailable",
    }
}

label! {
    /// What was left behind.
    Reapable {
        /// An upload that was never published, with all that the store has of it.
        Upload = "upload",
        /// An object that belongs to no upload and no video.
        Object = "object",
        /// Parts of an object that belongs to none.
        Parts = "parts",
        /// An idempotency key that has outlived its TTL.
        Key = "key",
    }
}

label! {
    /// How an attempt at a job of the transcoder ended.
    JobOutcome {
        /// The video is ready.
        Done = "done",
        /// Another attempt is to be made.
        Again = "again",
        /// For the last time: the video has failed.
        Failed = "failed",
        /// The job belongs to another attempt.
        Lost = "lost",
    }
}

/// A database server, by its place in the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Server {
    /// `mysql.primary_url`
    Primary,
    /// `mysql.replica_urls`, counted from 0; shown from 1.
    Replica(usize),
}

impl Server {
    /// As labels and reports have it.
    pub fn name(self) -> Cow<'static, str> {
        match self {
            Self::Primary => "primary".into(),
            Self::Replica(index) => format!("replica-{}", index + 1).into(),
        }
    }
}

/// A statement that `server` answered, or failed to, after `took`.
pub fn sql(verb: Verb, server: Server, routing: Routing, took: Duration) {
    let (verb, reason) = (verb.label(), routing.label());
    counter!(name::SQL_STATEMENTS, "verb" => verb, "server" => server.name(), "reason" => reason)
        .increment(1);
    histogram!(name::SQL_DURATION, "verb" => verb, "server" => server.name()).record(took);
}

/// A statement that failed; also counted by [`sql`].
pub fn sql_failed(server: Server, failure: SqlFailure) {
    counter!(name::SQL_FAILURES, "server" => server.name(), "kind" => failure.label()).increment(1);
}

/// Shows a pool of at most `max` connections; `state` gives how many are open and how many of them idle, or `None` once the
/// pool is gone.
pub fn watch_pool(
    server: Server,
    max: u32,
    state: impl Fn() -> Option<(u32, usize)> + Send + 'static,
) {
    sample(move || {
        let (open, idle) = state()?;
        let busy = f64::from(open) - idle as f64;
        let connections =
            |state| gauge!(name::DB_POOL_CONNECTIONS, "server" => server.name(), "state" => state);
        connections("idle").set(idle as f64);
        connections("busy").set(busy.max(0.0));
        gauge!(name::DB_POOL_MAX, "server" => server.name()).set(f64::from(max));
        Some(())
    });
}

/// Shows whether a replica is in rotation; `None` once it is gone.
pub fn watch_replica(index: usize, state: impl Fn() -> Option<(bool, Duration)> + Send + 'static) {
    sample(move || {
        let (in_rotation, behind) = state()?;
        let server = Server::Replica(index).name();
        let yes = f64::from(u8::from(in_rotation));
        gauge!(name::DB_IN_ROTATION, "server" => server.clone()).set(yes);
        gauge!(name::DB_REPLICA_LAG, "server" => server).set(behind.as_secs_f64());
        Some(())
    });
}

/// What the primary says of semi-synchronous replication.
pub fn semi_sync(active: bool, replicas: u64) {
    gauge!(name::DB_SEMI_SYNC_ACTIVE).set(f64::from(u8::from(active)));
    gauge!(name::DB_SEMI_SYNC_REPLICAS).set(replicas as f64);
}

/// A round trip to Redis, or one that wasn't worth trying.
pub fn redis_command(operation: &'static str, outcome: RedisOutcome, took: Duration) {
    let outcome = outcome.label();
    counter!(name::REDIS_COMMANDS, "operation" => operation, "outcome" => outcome).increment(1);
    histogram!(name::REDIS_DURATION, "operation" => operation).record(took);
}

/// Shows whether a logical database of Redis can be used; `None` once its client is gone.
pub fn watch_redis(database: &'static str, usable: impl Fn() -> Option<bool> + Send + 'static) {
    sample(move || {
        let yes = f64::from(u8::from(usable()?));
        gauge!(name::REDIS_CONNECTED, "database" => database).set(yes);
        Some(())
    });
}

/// So many counts were read.
pub fn counters_read(source: CountSource, counts: usize) {
    counter!(name::COUNTER_READS, "source" => source.label()).increment(counts as u64);
}

/// So many facts were looked up in the process, in the cache of this name.
pub fn cache_lookups(cache: &'static str, hits: usize, misses: usize) {
    for (outcome, lookups) in [("hit", hits), ("miss", misses)] {
        if lookups > 0 {
            counter!(name::CACHE_LOOKUPS, "cache" => cache, "outcome" => outcome)
                .increment(lookups as u64);
        }
    }
}

/// A round of the folder that added up `rows` of the ledger.
pub fn counter_fold(outcome: FoldOutcome, rows: usize, took: Duration) {
    counter!(name::COUNTER_FOLDS, "outcome" => outcome.label()).increment(1);
    if outcome == FoldOutcome::Folded {
        histogram!(name::COUNTER_FOLD_DURATION).record(took);
        histogram!(name::COUNTER_FOLD_ROWS).record(rows as f64);
    }
}

/// The ledger was last folded to its end so long ago.
pub fn counter_backlog_age(age: Duration) {
    gauge!(name::COUNTER_BACKLOG_AGE).set(age.as_secs_f64());
}

/// So many counts in Redis were wrong and were mended.
pub fn counters_repaired(by: Repair, counts: usize) {
    counter!(name::COUNTER_REPAIRED, "by" => by.label()).increment(counts as u64);
}

/// An attempt at a job has ended.
pub fn job_ended(outcome: JobOutcome) {
    counter!(name::JOBS_ENDED, "outcome" => outcome.label()).increment(1);
}

/// So many jobs wait, and so many are being worked on, in all processes together.
pub fn jobs(waiting: u64, taken: u64) {
    gauge!(name::JOBS, "state" => "waiting").set(waiting as f64);
    gauge!(name::JOBS, "state" => "taken").set(taken as f64);
}

/// The reaper removed so many.
pub fn reaped(kind: Reapable, count: u64) {
    counter!(name::REAPED, "kind" => kind.label()).increment(count);
}

/// A request to the object store, with all its attempts.
pub fn store_request(operation: &'static str, outcome: StoreOutcome, took: Duration) {
    let outcome = outcome.label();
    counter!(name::STORE_REQUESTS, "operation" => operation, "outcome" => outcome).increment(1);
    histogram!(name::STORE_DURATION, "operation" => operation).record(took);
}

/// An attempt at the object store is repeated.
pub fn store_retried(operation: &'static str) {
    counter!(name::STORE_RETRIES, "operation" => operation).increment(1);
}
