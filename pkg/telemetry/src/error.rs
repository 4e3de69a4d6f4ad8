//! Why logs, metrics or traces can't be set up.

/// Why the logs can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `log.filter` isn't a tracing filter.
    #[error("settings: log.filter: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    /// The process has set up logs before.
    #[error("logs were already set up in this process")]
    AlreadySet(#[from] tracing_subscriber::util::TryInitError),
    /// The endpoint for traces can't be used.
    #[error("settings: trace.endpoint: {0}")]
    Trace(#[from] opentelemetry_otlp::ExporterBuildError),
    /// The root certificates can't be used.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    /// The process has set up metrics before.
    #[error("metrics: {0}")]
    Metrics(#[from] metrics_exporter_prometheus::BuildError),
}
