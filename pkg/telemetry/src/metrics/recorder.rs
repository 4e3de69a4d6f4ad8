//! The recorder behind all metrics, gauges that are sampled when the metrics are rendered, and enums as label values.

use std::{
    fmt,
    sync::{Mutex, OnceLock, PoisonError},
};

use metrics_exporter_prometheus::PrometheusHandle;

type Sample = Box<dyn Fn() -> Option<()> + Send>;

pub(super) static RENDERER: OnceLock<PrometheusHandle> = OnceLock::new();
static SAMPLES: Mutex<Vec<Sample>> = Mutex::new(Vec::new());

/// Everything recorded so far, and the states as they are now. Empty before [`install`](super::install).
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
/// subject is gone: then it isn't called again. Before [`install`](super::install) it is dropped at once, with all that it holds.
pub(super) fn sample(read: impl Fn() -> Option<()> + Send + 'static) {
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
    pub(super) fn begin(gauge: metrics::Gauge) -> Self {
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
pub(super) use label;
