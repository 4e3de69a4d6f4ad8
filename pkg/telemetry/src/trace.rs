//! Traces by OpenTelemetry, sent by OTLP over gRPC. Off unless `trace.endpoint` is set.
//!
//! Each request that a process serves has a span, and each call it makes has a child span: RPC, SQL, Redis, object store. W3C's
//! `traceparent` (<https://www.w3.org/TR/trace-context/>) connects them; HTTP clients may send it, and every RPC carries it. Work outside of
//! a request isn't traced. Sending never delays a request: spans that don't fit into the queue are dropped. When traces are off, a span
//! costs one atomic read. No span holds a parameter, a key or a URL.

use std::{sync::OnceLock, time::Duration};

use opentelemetry::{
    Context,
    propagation::{Extractor, TextMapPropagator as _},
    trace::{TraceContextExt as _, TracerProvider as _},
};
use opentelemetry_otlp::{
    SpanExporter, WithExportConfig as _, WithTonicConfig as _,
    tonic_types::transport::ClientTlsConfig,
};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{Sampler, SdkTracerProvider},
};
use settings::Trace;
use tracing::{Span, Subscriber, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::{
    Layer,
    filter::{Directive, ParseError, filter_fn},
    registry::LookupSpan,
};

use crate::{
    TelemetryError,
    metrics::{Routing, Server, Verb},
};

/// The HTTP header that carries a trace.
pub const TRACEPARENT: &str = "traceparent";
/// The target of the spans of traces, unlike those of logs.
const TARGET: &str = "dousheng_trace";
/// Timeout of sending one batch of spans.
const SEND_TIMEOUT: Duration = Duration::from_secs(3);
/// Timeout of sending the last spans when the process ends.
const LAST_TIMEOUT: Duration = Duration::from_secs(2);

static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

/// A directive that keeps these spans out of the logs.
pub(crate) fn not_logged() -> Result<Directive, ParseError> {
    format!("{TARGET}=off").parse()
}

/// The layer that sends spans; `None` without an endpoint.
pub(crate) fn layer<S>(
    service: &str,
    settings: &Trace,
) -> Result<Option<impl Layer<S> + use<S>>, TelemetryError>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    if settings.endpoint.is_empty() {
        return Ok(None);
    }
    let mut exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(&settings.endpoint)
        .with_timeout(SEND_TIMEOUT);
    if settings.endpoint.starts_with("https://") {
        let roots = tls::trust_anchors(settings.ca_file.as_deref())?;
        exporter = exporter.with_tls_config(ClientTlsConfig::new().trust_anchors(roots));
    }
    let exporter = exporter.build()?;
    // If the caller sent a trace, its decision holds.
    let new = Sampler::TraceIdRatioBased(settings.sample_ratio);
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_sampler(Sampler::ParentBased(Box::new(new)))
        .with_resource(
            Resource::builder_empty()
                .with_service_name(service.to_owned())
                .build(),
        )
        .build();
    let tracer = provider.tracer("dousheng");
    let _ = PROVIDER.set(provider);
    let layer = tracing_opentelemetry::layer()
        .with_tracer(tracer)
        .with_location(false)
        .with_threads(false)
        .with_level(false)
        .with_target(false)
        .with_tracked_inactivity(false);
    Ok(Some(layer.with_filter(filter_fn(|metadata| {
        metadata.target() == TARGET
    }))))
}

/// Sends the remaining spans, for at most 2 s. Call it at the end of a process, while its runtime runs.
pub fn finish() {
    if let Some(provider) = PROVIDER.get()
        && let Err(error) = provider.shutdown_with_timeout(LAST_TIMEOUT)
    {
        tracing::warn!(%error, "the last traces are lost");
    }
}

/// The span of an HTTP request, in the trace of its `traceparent` or, without a valid one, in a new trace. Make it in the request's
/// [`scope`](crate::scope): from then on the log lines carry the trace id.
pub fn http(method: &str, traceparent: Option<&str>) -> Span {
    if PROVIDER.get().is_none() {
        return Span::none();
    }
    served(
        tracing::info_span!(
            target: TARGET,
            "http",
            otel.name = method,
            otel.kind = "server",
            otel.status_code = Empty,
            http.request.method = method,
            http.route = Empty,
            http.response.status_code = Empty,
        ),
        traceparent,
    )
}

/// Records how an HTTP request ended. It names the route template, never the path of the request.
pub fn http_ended(span: &Span, method: &str, route: &str, status: u16) {
    if span.is_disabled() {
        return;
    }
    // The span has begun already, so its name can't be set by a field.
    let context = span.context();
    context.span().update_name(format!("{method} {route}"));
    span.record("http.route", route);
    span.record("http.response.status_code", status);
    if status >= 500 {
        failed(span);
    }
}

/// The span of an RPC that is served; as [`http`].
pub fn rpc_served(method: &str, traceparent: Option<&str>) -> Span {
    if PROVIDER.get().is_none() {
        return Span::none();
    }
    served(
        tracing::info_span!(
            target: TARGET,
            "rpc",
            otel.name = method,
            otel.kind = "server",
            otel.status_code = Empty,
            rpc.service = crate::service::name(),
            rpc.method = method,
        ),
        traceparent,
    )
}

/// The span of an RPC to another service, with all its attempts.
pub fn rpc_call(service: &str, method: &str) -> Span {
    if !is_traced() {
        return Span::none();
    }
    tracing::info_span!(
        target: TARGET,
        "rpc",
        otel.name = format!("{service}/{method}"),
        otel.kind = "client",
        otel.status_code = Empty,
        rpc.service = service,
        rpc.method = method,
    )
}

/// The span of a statement, or of a whole transaction.
pub fn sql(verb: Verb, server: Server, routing: Routing) -> Span {
    if !is_traced() {
        return Span::none();
    }
    let (verb, server) = (verb.label(), server.name());
    tracing::info_span!(
        target: TARGET,
        "sql",
        otel.name = format!("{verb} {server}"),
        otel.kind = "client",
        otel.status_code = Empty,
        db.system.name = "mysql",
        db.operation.name = verb,
        server = &*server,
        reason = routing.label(),
    )
}

/// The span of a round trip to Redis or the object store, or of a wait for a group commit.
pub fn call(system: &'static str, operation: &'static str) -> Span {
    if !is_traced() {
        return Span::none();
    }
    tracing::info_span!(
        target: TARGET,
        "call",
        otel.name = format!("{system} {operation}"),
        otel.kind = "client",
        otel.status_code = Empty,
        system,
        operation,
    )
}

/// Marks a span as failed, for a failure that the caller didn't cause.
pub fn failed(span: &Span) {
    span.record("otel.status_code", "ERROR");
}

/// The `traceparent` to send with a call; `None` without a trace.
pub fn traceparent(span: &Span) -> Option<String> {
    if span.is_disabled() {
        return None;
    }
    let context = span.context();
    let context = context.span();
    let context = context.span_context();
    context.is_valid().then(|| {
        format!(
            "00-{}-{}-{:02x}",
            context.trace_id(),
            context.span_id(),
            context.trace_flags().to_u8()
        )
    })
}

/// Whether this task works on a traced request.
fn is_traced() -> bool {
    PROVIDER.get().is_some()
        && Span::current()
            .metadata()
            .is_some_and(|span| span.target() == TARGET)
}

fn served(span: Span, traceparent: Option<&str>) -> Span {
    // By the standard an invalid value counts as missing.
    let parent = traceparent.map_or_else(Context::new, |given| {
        TraceContextPropagator::new().extract_with_context(&Context::new(), &Given(given))
    });
    // It fails only for a span that isn't sent.
    let _ = span.set_parent(parent);
    let context = span.context();
    let id = context.span().span_context().trace_id();
    Span::current().record("trace_id", tracing::field::display(id));
    span
}

/// Gives the propagator the one header that it needs.
struct Given<'a>(&'a str);

impl Extractor for Given<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == TRACEPARENT).then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}
