//! Why logs, metrics or traces can't be set up.

/// Why the logs can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `log.filter` isn't a tracing filter.
    #[error("settings: log.filter: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// Something in this process set up its own logs before.
    #[error("logs were already set up in this process")]
    AlreadySet(#[from] tracing_subscriber::util::TryInitError),
    /// Traces can't be sent there.
    #[error("settings: trace.endpoint: {0}")]
    Trace(#[from] opentelemetry_otlp::ExporterBuildError),
    /// Nobody can be trusted.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    /// Something in this process set up its own metrics before.
    #[error("metrics: {0}")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
}
