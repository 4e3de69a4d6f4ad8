//! Metrics of a process, in Prometheus' text format. One function for each thing that can be recorded, so that names and labels
//! are written once; [`FAMILIES`] lists them all.
//!
//! Recording costs no lock and no await, and does nothing before [`install`]. What is a state rather than an event (a pool,
//! a semaphore, memory) is read when the metrics are.

mod bounds;
mod data;
mod families;
mod process;
mod requests;

use std::{
    fmt,
    sync::{Mutex, OnceLock, PoisonError},
};

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

pub use bounds::{
    Upload, UploadOutcome, in_queue, limit_refused, semaphore_refused, upload_bytes,
    watch_semaphore,
};
pub use data::{
    CountSource, FoldOutcome, Reapable, RedisOutcome, Repair, Routing, Server, SqlFailure,
    StoreOutcome, Verb, counter_fold, counters_read, counters_repaired, reaped, redis_command,
    semi_sync, sql, sql_failed, store_request, store_retried, watch_pool, watch_redis,
    watch_replica,
};
pub use families::{FAMILIES, Family, Kind};
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

type Sample = Box<dyn Fn() -> Option<()> + Send>;

static RENDERER: OnceLock<PrometheusHandle> = OnceLock::new();
static SAMPLES: Mutex<Vec<Sample>> = Mutex::new(Vec::new());

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

/// Everything recorded so far, and the states as they are now. Empty before [`install`].
pub fn render() -> String {
    let Some(renderer) = RENDERER.get() else {
        return String::new();
    };
    let mut samples = SAMPLES.lock().unwrap_or_else(PoisonError::into_inner);
    samples.retain(|sample| sample().is_some());
    drop(samples);
    renderer.render()
}

/// Takes in what histograms have collected. To be called every few seconds: a process that nobody asks would keep it all.
pub fn upkeep() {
    if let Some(renderer) = RENDERER.get() {
        renderer.run_upkeep();
    }
}

/// Has `read` called before each [`render`], to set gauges to what is now. It must not block, and gives `None` once its
/// subject is gone: then it isn't called again. Before [`install`] it is dropped at once, with all that it holds.
fn sample(read: impl Fn() -> Option<()> + Send + 'static) {
    if RENDERER.get().is_none() {
        return;
    }
    let mut samples = SAMPLES.lock().unwrap_or_else(PoisonError::into_inner);
    samples.push(Box::new(read));
}

/// Work that a gauge counts until this is dropped.
#[must_use = "the work is counted until this is dropped"]
pub struct InProgress(metrics::Gauge);

impl InProgress {
    fn begin(gauge: metrics::Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge)
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

impl fmt::Debug for InProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InProgress")
    }
}

/// An enum whose variants are the values of a label.
macro_rules! label {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_meta])* $variant,)* }

        impl $name {
            pub(crate) fn label(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}
use label;
