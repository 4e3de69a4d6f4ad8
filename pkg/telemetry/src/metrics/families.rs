//! The list of all metric families: name, type and help text. No metric is recorded under another name.
//!
//! A label has few values: a route template, a method, the number of a server. A label never holds an id, an address or other input of
//! a client.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// One family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family {
    /// As Prometheus shows it; a histogram adds `_bucket`, `_sum` and `_count`.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// One sentence.
    pub help: &'static str,
}

/// How the values of a family behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts observations by size.
    Histogram,
}

macro_rules! families {
    ($($constant:ident = $kind:ident $name:literal, $help:literal;)*) => {
        $(pub(super) const $constant: &str = $name;)*

        /// All of them, in the order of this file.
        pub const FAMILIES: &[Family] = &[
            $(Family { name: $name, kind: Kind::$kind, help: $help },)*
        ];
    };
}

families! {
    // HTTP
    HTTP_REQUESTS = Counter "http_requests_total", "Requests answered, by route template, method and HTTP status; 499: the client left before the answer.";
    HTTP_DURATION = Histogram "http_request_duration_seconds", "Time from a request's headers to its answer, by route template.";
    HTTP_IN_PROGRESS = Gauge "http_requests_in_progress", "Requests being worked on.";
    DISCARDED = Counter "discarded_bodies_total", "Requests answered before their body had come, whose rest was read and thrown away, by outcome: whole, broken, too_slow, too_long, too_large.";
    DISCARDED_BYTES = Counter "discarded_bytes_total", "Bytes of those bodies that were read and thrown away.";

    // RPC
    RPC_SERVED = Counter "rpc_server_requests_total", "Calls served, by method and code of the table of codes; 0: success.";
    RPC_SERVED_DURATION = Histogram "rpc_server_request_duration_seconds", "Time in the handler, by method.";
    RPC_SERVED_IN_PROGRESS = Gauge "rpc_server_requests_in_progress", "Calls being served.";
    RPC_CALLS = Counter "rpc_client_requests_total", "Calls of other services, by callee, method and outcome; their attempts count as one.";
    RPC_CALL_DURATION = Histogram "rpc_client_request_duration_seconds", "Time of a call with all its attempts, by callee and method.";
    RPC_ATTEMPTS = Counter "rpc_client_attempts_total", "Attempts of calls, by callee and how each ended: answered, not_sent, unanswered.";
    RPC_RETRIES_REFUSED = Counter "rpc_client_retries_refused_total", "Retries not made because the retry budget was spent, by callee.";
    RPC_CLEAR_SECRET = Counter "rpc_server_clear_secret_total", "Calls that showed rpc.secret itself: of processes that make no proofs yet.";
    REGISTRY_INSTANCES = Gauge "registry_instances", "Instances of a service that this process may call, by callee.";
    REGISTRY_REGISTERED = Gauge "registry_registered", "1 while etcd confirms this process's own registration.";

    // Uploads
    UPLOADS = Counter "uploads_total", "Uploads that ended, by outcome: published, refused, failed, abandoned.";
    UPLOADS_IN_PROGRESS = Gauge "uploads_in_progress", "Uploads being received or published.";
    REAPED = Counter "reaped_total", "What the reaper removed, by kind: upload, object, parts, key.";
    JOBS = Gauge "transcoder_jobs", "Videos that are to be processed, by state: waiting, taken; of all processes together.";
    JOBS_ENDED = Counter "transcoder_attempts_total", "Attempts at such videos that ended, by outcome: done, again, failed, lost.";
    UPLOAD_BYTES = Counter "upload_bytes_total", "Bytes of video files received.";

    // Bounds
    SEMAPHORE_PERMITS = Gauge "semaphore_permits", "Permits of a semaphore.";
    SEMAPHORE_USED = Gauge "semaphore_permits_used", "Permits in use, by semaphore.";
    SEMAPHORE_REFUSALS = Counter "semaphore_refusals_total", "Requests and connections shed because no permit was free, by semaphore.";
    LIMIT_REFUSALS = Counter "limit_refusals_total", "Requests that came too often from one address, user or name, by what is limited.";
    QUEUE_LENGTH = Gauge "queue_length", "What waits for its turn, by queue.";

    // SQL
    SQL_STATEMENTS = Counter "sql_statements_total", "Statements, by consistency verb, server that was asked, and why that one; a transaction counts as one.";
    SQL_DURATION = Histogram "sql_duration_seconds", "Time of a statement or a transaction with the wait for its connection, by verb and server.";
    SQL_FAILURES = Counter "sql_failures_total", "Statements that failed, by server and kind.";
    DB_POOL_CONNECTIONS = Gauge "db_pool_connections", "Connections of a pool, by server and state: idle, busy.";
    DB_POOL_MAX = Gauge "db_pool_connections_max", "Connections that a pool may open, by server.";
    DB_IN_ROTATION = Gauge "db_replica_in_rotation", "1 while reads go to this replica, by server.";
    DB_REPLICA_LAG = Gauge "db_replica_lag_seconds", "Lag of this replica at the last poll, by server.";
    DB_SEMI_SYNC_ACTIVE = Gauge "db_semi_sync_active", "1 while the primary waits for a replica before it acknowledges a commit; 0: it goes on alone.";
    DB_SEMI_SYNC_REPLICAS = Gauge "db_semi_sync_replicas", "Replicas that acknowledge commits to the primary.";

    // Redis
    REDIS_COMMANDS = Counter "redis_commands_total", "Round trips to Redis, by operation and outcome: ok, failed, timed_out, away.";
    REDIS_DURATION = Histogram "redis_command_duration_seconds", "Time of a round trip, by operation.";
    REDIS_CONNECTED = Gauge "redis_connected", "1 while it is connected and answers, by logical database.";

    // Counters
    COUNTER_READS = Counter "counter_reads_total", "Counts read, by where from: redis, loaded into redis, mysql past redis.";
    COUNTER_FOLDS = Counter "counter_folds_total", "Rounds of the folder, by outcome: folded, idle, elsewhere, failed.";
    COUNTER_FOLD_DURATION = Histogram "counter_fold_duration_seconds", "Time of a round that folded.";
    COUNTER_FOLD_ROWS = Histogram "counter_fold_rows", "Rows of the ledger that a round added up.";
    COUNTER_BACKLOG_AGE = Gauge "counter_backlog_age_seconds", "How long ago the ledger was last folded to its end, by whatever process: nothing that is open in it is older.";
    COUNTER_REPAIRED = Counter "counters_repaired_total", "Counts in Redis that were wrong and were mended, by what found them: fold, pass.";

    // Caches
    CACHE_LOOKUPS = Counter "cache_lookups_total", "Facts looked up in the process, by cache and outcome: hit, miss.";

    // Object store
    STORE_REQUESTS = Counter "object_store_requests_total", "Requests to the object store, by operation and outcome; their attempts count as one.";
    STORE_DURATION = Histogram "object_store_request_duration_seconds", "Time of a request with all its attempts, by operation.";
    STORE_RETRIES = Counter "object_store_retries_total", "Retries, by operation.";

    // Process
    DEPENDENCY_UP = Gauge "dependency_up", "What the process depends on, as readiness finds it: 1 up, 0.5 degraded, 0 down.";
    BUILD_INFO = Gauge "build_info", "Always 1; the version is a label.";
    PROCESS_START_TIME = Gauge "process_start_time_seconds", "When the process started, in seconds since 1970.";
    PROCESS_CPU = Counter "process_cpu_seconds_total", "Processor time used.";
    PROCESS_RESIDENT = Gauge "process_resident_memory_bytes", "Resident memory.";
    PROCESS_THREADS = Gauge "process_threads", "Threads.";
    PROCESS_OPEN_FDS = Gauge "process_open_fds", "Open file descriptors.";
    PROCESS_MAX_FDS = Gauge "process_max_fds", "File descriptors that the process may open.";
}

/// Tells the recorder the help text of each.
pub(super) fn describe() {
    for Family { name, kind, help } in FAMILIES {
        let unit = if name.ends_with("_seconds") {
            Unit::Seconds
        } else if name.ends_with("_bytes") {
            Unit::Bytes
        } else {
            Unit::Count
        };
        match kind {
            Kind::Counter => describe_counter!(*name, unit, *help),
            Kind::Gauge => describe_gauge!(*name, unit, *help),
            Kind::Histogram => describe_histogram!(*name, unit, *help),
        }
    }
}
