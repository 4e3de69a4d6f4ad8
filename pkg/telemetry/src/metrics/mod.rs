//! Metrics of a process, in the text format of Prometheus. There is one function for each event, so that names and labels are written
//! once; [`FAMILIES`] lists them all.
//!
//! Recording takes no lock and no await, and does nothing before [`install`]. States (a pool, a semaphore, memory) are read when the
//! metrics are rendered.

mod bounds;
mod data;
mod families;
mod process;
mod recorder;
mod requests;

use std::sync::{Mutex, PoisonError};

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder};

pub use bounds::{
    Upload, UploadOutcome, in_queue, limit_refused, semaphore_refused, upload_bytes,
    watch_semaphore,
};
pub use data::{
    CountSource, FoldOutcome, JobOutcome, Reapable, RedisOutcome, Repair, Routing, Server,
    SqlFailure, StoreOutcome, Verb, cache_lookups, counter_backlog_age, counter_fold,
    counters_read, counters_repaired, job_ended, jobs, reaped, redis_command, semi_sync, sql,
    sql_failed, store_request, store_retried, watch_pool, watch_redis, watch_replica,
};
pub use families::{FAMILIES, Family, Kind};
use recorder::RENDERER;
pub use recorder::{InProgress, render, upkeep};
pub use requests::{
    AttemptOutcome, CallOutcome, DiscardOutcome, dependency, discarded, http_in_progress,
    http_request, registry_instances, registry_registered, rpc_attempt, rpc_call, rpc_clear_secret,
    rpc_in_progress, rpc_retry_refused, rpc_served,
};

/// What [`render`] gives, for the header of an answer.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Bounds of the histograms of times, in seconds: a query by index takes one millisecond, a publish up to 90 s.
const TIME_BUCKETS: &[f64] = &[
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 90.0,
];
/// Bounds of the histogram of a fold's rows.
const ROW_BUCKETS: &[f64] = &[1.0, 10.0, 100.0, 1000.0, 10_000.0, 100_000.0];

/// Begins to record, with the label `service` on everything. What comes after the first call in a process does nothing.
///
/// # Errors
/// The buckets above are empty or another recorder is installed: neither happens.
pub fn install(service: &str) -> Result<(), BuildError> {
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _one_at_a_time = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    if RENDERER.get().is_some() {
        return Ok(());
    }
    let renderer = PrometheusBuilder::new()
        .add_global_label("service", service)
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), TIME_BUCKETS)?
        .set_buckets_for_metric(Matcher::Suffix("_rows".to_owned()), ROW_BUCKETS)?
        .install_recorder()?;
    if RENDERER.set(renderer).is_ok() {
        families::describe();
        process::watch();
    }
    Ok(())
}
