//! Structured logs, metrics and traces; the request id and the cost of a request, through every process.
//!
//! It knows no domain, no RPC and no HTTP types. The request id and the cost are task-local: `join!` keeps them, `tokio::spawn` loses them.
//! Never pass a secret to a log line: nothing here filters it out.

pub mod cost;
mod error;
pub mod metrics;
mod output;
mod request;
mod service;
pub mod trace;

use std::{io::IsTerminal as _, panic::PanicHookInfo, sync::Mutex};

use settings::{Log, LogFormat, Trace};
use tracing_subscriber::{
    EnvFilter, Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _,
};

pub use error::TelemetryError;
pub use request::{RequestId, scope};

/// Sets up logs to standard output, in the format and with the filter of the settings; a panic becomes a log line too, with its request
/// id. Begins to record [`metrics`], and sends [`trace`]s if there is an endpoint. `service` names the process in all of them. Call it in
/// a tokio runtime.
///
/// # Errors
/// A bad filter names `log.filter`, a bad endpoint `trace.endpoint`. The second call in a process is refused.
pub fn init(service: &str, log: &Log, trace: &Trace) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&log.filter)?.add_directive(trace::not_logged()?);
    let pretty = match log.format {
        LogFormat::Auto => std::io::stdout().is_terminal(),
        LogFormat::Pretty => true,
        LogFormat::Json => false,
    };
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(Mutex::new(output::Output::new(log.rotate_bytes)));
    let layer = if pretty {
        layer.boxed()
    } else {
        layer
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .boxed()
    };
    tracing_subscriber::registry()
        .with(layer.with_filter(filter))
        .with(trace::layer(service, trace)?)
        .try_init()?;
    metrics::install(service)?;
    service::set_name(service);
    std::panic::set_hook(Box::new(log_panic));
    Ok(())
}

fn log_panic(panic: &PanicHookInfo<'_>) {
    let message = panic.payload_as_str().unwrap_or("(no message)");
    let location = panic.location().map(ToString::to_string);
    tracing::error!(location, "panic: {message}");
}
