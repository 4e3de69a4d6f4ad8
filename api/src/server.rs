//! Where a request enters: gives it to the router with what the framework wants to know, and sees to an unread body.
//!
//! The connections themselves are the affair of `service`.

use std::{cell::RefCell, convert::Infallible, net::SocketAddr, pin::Pin, sync::Arc};

use http::{HeaderValue, Response, header};
use metainfo::{METAINFO, MetaInfo};
use service::{Admin, RequestBody};
use settings::Network;
use telemetry::trace::TRACEPARENT;
use volo::{Service as _, net::Address};
use volo_http::{body::Body, context::ServerContext, server::route::Router};

use crate::{client_address::Peer, discard::Discarder};

type Answering = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// What answers a request from an address. A trace goes on only where one of `trusted_proxies` has begun it: a stranger's would
/// decide what is sampled here.
pub fn handler(
    trusted_proxies: Vec<Network>,
    router: Router<Body, Infallible>,
    discarder: Discarder,
    admin: Admin,
) -> impl Fn(SocketAddr, http::Request<RequestBody>) -> Answering + Clone + Send + Sync + 'static {
    let router = Arc::new(router);
    move |peer, mut request| {
        let (router, discarder, admin) = (router.clone(), discarder.clone(), admin.clone());
        let is_proxy = |network: &Network| network.contains(peer.ip());
        if !trusted_proxies.iter().any(is_proxy) {
            request.headers_mut().remove(TRACEPARENT);
        }
        // What goes along with the calls that are made for this request.
        let meta = RefCell::new(MetaInfo::default());
        Box::pin(async move {
            let (mut request, lending) = discarder.lend(request);
            request.extensions_mut().insert(Peer(peer));
            let mut cx = ServerContext::new(Address::from(peer));
            let answer = METAINFO.scope(meta, router.call(&mut cx, request)).await;
            let mut answer = match answer {
                Ok(answer) => answer,
                Err(never) => match never {},
            };
            if admin.is_stopping() {
                // So that the client opens another connection, and none is closed just when it is used again.
                let close = HeaderValue::from_static("close");
                answer.headers_mut().insert(header::CONNECTION, close);
            }
            match lending {
                Some(lending) => discarder.settle(lending, answer).await,
                None => answer,
            }
        })
    }
}
