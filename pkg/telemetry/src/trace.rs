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

/// The header of HTTP that carries a trace on.
pub const TRACEPARENT: &str = "traceparent";
/// What tells the spans here from those of the logs.
const TARGET: &str = "dousheng_trace";
/// For one batch of spans to be taken.
const SEND_TIMEOUT: Duration = Duration::from_secs(3);
/// For what is left at the end of the process.
const LAST_TIMEOUT: Duration = Duration::from_secs(2);

static PROVIDER: OnceLock<SdkTracerProvider> = OnceLock::new();

/// What the logs take no notice of.
pub(crate) fn not_logged() -> Result<Directive, ParseError> {
    format!("{TARGET}=off").parse()
}

/// What sends the spans; none when there is nowhere to send them to.
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
    // Who asked may have decided already.
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

/// Sends what hasn't been sent, for at most 2 s. To be called at the end of a process, while its runtime runs.
pub fn finish() {
    if let Some(provider) = PROVIDER.get()
        && let Err(error) = provider.shutdown_with_timeout(LAST_TIMEOUT)
    {
        tracing::warn!(%error, "the last traces are lost");
    }
}

/// A request by HTTP, in the trace that its `traceparent` names, if it is one; else in a new one. To be made in the request's
/// [`scope`](crate::scope), whose log lines carry the trace's id from then on.
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

/// How it ended: says so by its route, never by the path that the client asked for.
pub fn http_ended(span: &Span, method: &str, route: &str, status: u16) {
    if span.is_disabled() {
        return;
    }
    // A field sets the name of a span that has not begun; this one has, for its calls are a part of it.
    let context = span.context();
    context.span().update_name(format!("{method} {route}"));
    span.record("http.route", route);
    span.record("http.response.status_code", status);
    if status >= 500 {
        failed(span);
    }
}

/// A request by RPC; as [`http`].
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

/// An RPC to another service, all attempts together.
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

/// A statement, or a transaction as a whole.
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

/// A round trip to Redis or to the object store, or a wait for a write that is shared with other requests.
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

/// What was asked for didn't come of it, by no fault of who asked.
pub fn failed(span: &Span) {
    span.record("otel.status_code", "ERROR");
}

/// What goes along with a call so that what it causes is part of the trace; none when there is no trace.
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

/// Whether this task works on a request that has a span.
fn is_traced() -> bool {
    PROVIDER.get().is_some()
        && Span::current()
            .metadata()
            .is_some_and(|span| span.target() == TARGET)
}

fn served(span: Span, traceparent: Option<&str>) -> Span {
    // What isn't one counts as none, as the standard has it.
    let parent = traceparent.map_or_else(Context::new, |given| {
        TraceContextPropagator::new().extract_with_context(&Context::new(), &Given(given))
    });
    // Only of a span that isn't sent at all.
    let _ = span.set_parent(parent);
    let context = span.context();
    let id = context.span().span_context().trace_id();
    Span::current().record("trace_id", tracing::field::display(id));
    span
}

/// The one header of a request that matters here.
struct Given<'a>(&'a str);

impl Extractor for Given<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        (key == TRACEPARENT).then_some(self.0)
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}
