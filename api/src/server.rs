//! Where a request enters: passes it through the middleware to the router, and sees to a body that wasn't read to its end.
//!
//! The connections themselves are kept by `service`.

use std::{cell::RefCell, convert::Infallible, net::SocketAddr, pin::Pin, sync::Arc};

use http::{HeaderValue, Method, header};
use metainfo::{METAINFO, MetaInfo};
use service::{ADMIN_PATHS, Admin, Answer, Discarder, HEALTH_PATH, RequestBody};
use telemetry::trace::TRACEPARENT;
use tower::service_fn;
use volo::{Service as _, net::Address};
use volo_http::{
    body::Body, context::ServerContext, request::Request, response::Response, server::route::Router,
};

use crate::{
    app::App,
    client_address::Peer,
    middleware::{Cors, compress},
    protobuf,
    request_logging::log_request,
    route::{READS, method_not_allowed},
    router::router,
};

type Answering = Pin<Box<dyn Future<Output = http::Response<Answer<Body>>> + Send>>;

/// What all requests of a process share.
struct Server {
    app: Arc<App>,
    router: Router<Body, Infallible>,
    cors: Cors,
    discarder: Discarder,
    admin: Admin,
}

/// The handler of all requests. It is given a request and the address that it comes from.
pub fn handler(
    app: Arc<App>,
    admin: Admin,
    discarder: Discarder,
) -> impl Fn(SocketAddr, http::Request<RequestBody>) -> Answering + Clone + Send + Sync + 'static {
    let server = Arc::new(Server {
        router: router(&app),
        cors: Cors::new(&app.settings.http.cors_origins),
        discarder,
        admin,
        app,
    });
    move |peer, request| {
        let server = server.clone();
        Box::pin(async move {
            let (request, body_state) = server.discarder.split_body(request);
            let request = request.map(|body| body.map_or_else(Body::empty, Body::from_body));
            let mut response = server.answer(peer, request).await;
            if server.admin.is_stopping() {
                // The client then opens another connection, so none is closed just when it is used again.
                let close = HeaderValue::from_static("close");
                response.headers_mut().insert(header::CONNECTION, close);
            }
            server.discarder.discard_rest(body_state, response).await
        })
    }
}

impl Server {
    async fn answer(&self, peer: SocketAddr, mut request: Request) -> Response {
        if let Some(path) = self.admin_path(request.uri().path()) {
            return self.answer_admin(path, &request).await;
        }
        let proxies = &self.app.trusted_proxies;
        // Only a trusted proxy may continue a trace. Otherwise any client could decide what is sampled.
        if !proxies.iter().any(|network| network.contains(peer.ip())) {
            request.headers_mut().remove(TRACEPARENT);
        }
        request.extensions_mut().insert(Peer(peer));
        let router = service_fn(|request: Request| async move {
            let mut cx = ServerContext::new(Address::from(peer));
            self.router.call(&mut cx, request).await
        });
        let router = service_fn(|request: Request| async move {
            Ok::<_, Infallible>(protobuf::answer(router, request).await)
        });
        let compressed = service_fn(|request: Request| async move {
            Ok::<_, Infallible>(compress(router, request).await)
        });
        // The metadata of the RPCs that are made for this request.
        let meta = RefCell::new(MetaInfo::default());
        let work = log_request(request, |request| self.cors.call(compressed, request));
        METAINFO.scope(meta, work).await
    }

    /// Paths of the admin port that this port serves too, for load balancers that know no other: all, or by the settings `/healthz` alone.
    fn admin_path(&self, path: &str) -> Option<&'static str> {
        let known = ADMIN_PATHS.into_iter().find(|known| *known == path)?;
        (known == HEALTH_PATH || self.app.settings.has_admin_paths()).then_some(known)
    }

    /// Without middleware: probes and scrapes would drown the log lines of the contract's requests.
    async fn answer_admin(&self, path: &str, request: &Request) -> Response {
        match *request.method() {
            Method::GET | Method::HEAD => self.admin.answer(path).await.map(Body::from),
            _ => method_not_allowed(READS, request),
        }
    }
}
