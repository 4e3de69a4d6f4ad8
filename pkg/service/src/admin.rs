//! The admin port of a process: /healthz, /readyz and /metrics, on an address of its own, until the process ends.
//!
//! It isn't meant for the public. It answers GET and HEAD, reads no body, and bounds its connections and their time.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use telemetry::metrics;
use tokio::{net::TcpListener, sync::Semaphore};

use crate::readiness::{Readiness, State};

/// Most connections at once.
const MAX_CONNECTIONS: usize = 64;
/// How long a connection may take to send the head of a request.
const HEADER_LIMIT: Duration = Duration::from_secs(30);
/// Pause after an accept that failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often histograms are compacted and dependencies checked, even if nobody asks.
const UPKEEP_PERIOD: Duration = Duration::from_secs(5);

/// The admin endpoints of a process. Cheap to clone.
#[derive(Clone)]
pub struct Admin(pub(crate) Arc<Readiness>);

/// The paths that [`Admin::answer`] knows.
pub const ADMIN_PATHS: [&str; 3] = [HEALTH_PATH, "/readyz", "/metrics"];
/// Tells only that the process answers.
pub const HEALTH_PATH: &str = "/healthz";

impl Admin {
    /// Whether the process is shutting down: it finishes requests in flight and takes no new ones.
    pub fn is_stopping(&self) -> bool {
        self.0.is_stopping()
    }

    /// The answer to a GET of one of [`ADMIN_PATHS`]; 404 for any other.
    pub async fn answer(&self, path: &str) -> Response<Bytes> {
        match path {
            // Answering is the check.
            HEALTH_PATH => respond(StatusCode::OK, JSON, "{\"state\":\"up\"}\n".into()),
            "/readyz" => {
                let report = self.0.report().await;
                let status = match report.state {
                    State::Up | State::Degraded => StatusCode::OK,
                    State::Down => StatusCode::SERVICE_UNAVAILABLE,
                };
                // Strings, numbers and maps by strings always have a JSON form.
                let mut body = serde_json::to_string_pretty(&*report).unwrap_or_default();
                body.push('\n');
                respond(status, JSON, body)
            }
            "/metrics" => respond(StatusCode::OK, metrics::CONTENT_TYPE, metrics::render()),
            _ => respond(
                StatusCode::NOT_FOUND,
                TEXT,
                "/healthz /readyz /metrics\n".into(),
            ),
        }
    }

    /// Serves on `listener` for as long as the runtime lives.
    pub(crate) async fn serve(self, listener: TcpListener) {
        let free = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        loop {
            // Never closed, so this never fails.
            let Ok(permit) = free.clone().acquire_owned().await else {
                return;
            };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let admin = self.clone();
                    tokio::spawn(async move {
                        let service = service_fn(move |request| admin.clone().handle(request));
                        let served = http1::Builder::new()
                            .timer(TokioTimer::new())
                            .header_read_timeout(HEADER_LIMIT)
                            .serve_connection(TokioIo::new(stream), service);
                        // A client that disconnects is no error.
                        let _ = served.await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "admin connection not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Compacts histograms and refreshes the metrics of dependencies, as long as the runtime lives.
    pub(crate) async fn upkeep(self) {
        loop {
            tokio::time::sleep(UPKEEP_PERIOD).await;
            metrics::upkeep();
            self.0.report().await;
        }
    }

    async fn handle(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let answer = match *request.method() {
            Method::GET | Method::HEAD => self.answer(request.uri().path()).await,
            _ => respond(StatusCode::METHOD_NOT_ALLOWED, TEXT, "GET, HEAD\n".into()),
        };
        Ok(answer.map(Full::new))
    }
}

/// The address at which others reach the admin port, if it is bound to `admin` on a host that they reach at `host`.
pub(crate) fn reachable(admin: SocketAddr, host: SocketAddr) -> SocketAddr {
    if admin.ip().is_unspecified() {
        SocketAddr::new(host.ip(), admin.port())
    } else {
        admin
    }
}

const JSON: &str = "application/json; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

fn respond(status: StatusCode, content_type: &'static str, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
