//! A collector of traces: receives OTLP over gRPC.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::any_value::Value,
    trace::v1::{span::SpanKind, status::StatusCode},
};
use tokio::{net::TcpListener, task::JoinHandle};
use tonic::{
    Request, Response, Status,
    transport::{Identity, Server, ServerTlsConfig, server::TcpIncoming},
};

use crate::Certificates;

/// What was sent to a receiver, for as long as it lives.
#[derive(Debug)]
pub struct Traces {
    endpoint: String,
    spans: Arc<Mutex<Vec<TraceSpan>>>,
    task: JoinHandle<()>,
}

/// One span; ids in lower-case hex.
#[derive(Debug, Clone)]
pub struct TraceSpan {
    /// The process it is of.
    pub service: String,
    /// What was done.
    pub name: String,
    /// Its trace.
    pub trace_id: String,
    /// Its own id.
    pub id: String,
    /// The id of the span that it is a part of; empty: of none.
    pub parent: String,
    /// Whether it is somebody else's request that was served; else it is a call.
    pub served: bool,
    /// Whether it failed.
    pub failed: bool,
}

impl Traces {
    /// Begins to receive, on a free port.
    pub async fn receive() -> Self {
        Self::receive_on(None).await
    }

    /// As [`Traces::receive`], by TLS.
    pub async fn receive_with_tls(certificates: &Certificates) -> Self {
        Self::receive_on(Some(certificates)).await
    }

    async fn receive_on(tls: Option<&Certificates>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let spans = Arc::default();
        let service = TraceServiceServer::new(Receiver(Arc::clone(&spans)));
        let mut server = Server::builder();
        if let Some(tls) = tls {
            let read = |path| std::fs::read(path).expect("a certificate");
            let identity = Identity::from_pem(read(tls.certificate()), read(tls.key()));
            let config = ServerTlsConfig::new().identity(identity);
            server = server.tls_config(config).expect("a server by TLS");
        }
        let serving = server
            .add_service(service)
            .serve_with_incoming(TcpIncoming::from(listener));
        let task = tokio::spawn(async { serving.await.expect("a receiver") });
        Self {
            endpoint: match tls {
                Some(_) => format!("https://{address}"),
                None => format!("http://{address}"),
            },
            spans,
            task,
        }
    }

    /// For `trace.endpoint`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// What has come of a trace.
    pub fn of(&self, trace_id: &str) -> Vec<TraceSpan> {
        let spans = self.spans.lock().expect("spans");
        let wanted = spans.iter().filter(|span| span.trace_id == trace_id);
        wanted.cloned().collect()
    }

    /// How many spans have come, of all traces.
    pub fn count(&self) -> usize {
        self.spans.lock().expect("spans").len()
    }
}

impl Drop for Traces {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Receiver(Arc<Mutex<Vec<TraceSpan>>>);

#[tonic::async_trait]
impl TraceService for Receiver {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for of_process in request.into_inner().resource_spans {
            let resource = of_process.resource.unwrap_or_default();
            let attributes: HashMap<String, Value> = resource
                .attributes
                .into_iter()
                .filter_map(|pair| Some((pair.key, pair.value?.value?)))
                .collect();
            let service = match attributes.get("service.name") {
                Some(Value::StringValue(name)) => name.clone(),
                other => panic!("service.name: {other:?}"),
            };
            let spans = of_process.scope_spans.into_iter().flat_map(|of| of.spans);
            let mut seen = self.0.lock().expect("spans");
            seen.extend(spans.map(|span| TraceSpan {
                service: service.clone(),
                trace_id: hex(&span.trace_id),
                id: hex(&span.span_id),
                parent: hex(&span.parent_span_id),
                served: span.kind() == SpanKind::Server,
                failed: span.status.unwrap_or_default().code() == StatusCode::Error,
                name: span.name,
            }));
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
