//! Where a request enters: what the framework wants to know of it beside itself. The connections are `service`'s affair.

use std::{cell::RefCell, convert::Infallible, net::SocketAddr, pin::Pin, sync::Arc};

use http::Response;
use http_body::Body as _;
use metainfo::{METAINFO, MetaInfo};
use service::RequestBody;
use volo::{Service as _, net::Address};
use volo_http::{body::Body, context::ServerContext, server::route::Router};

use crate::client_address::Peer;

type Answering = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// What answers a request from an address.
pub fn handler(
    router: Router<Body, Infallible>,
) -> impl Fn(SocketAddr, http::Request<RequestBody>) -> Answering + Clone + Send + Sync + 'static {
    let router = Arc::new(router);
    move |peer, request| {
        let router = router.clone();
        // What goes along with the calls that are made for this request.
        let meta = RefCell::new(MetaInfo::default());
        Box::pin(METAINFO.scope(meta, async move {
            let mut cx = ServerContext::new(Address::from(peer));
            let mut request = request.map(|body| match body.is_end_stream() {
                true => Body::empty(),
                false => Body::from_body(body),
            });
            request.extensions_mut().insert(Peer(peer));
            match router.call(&mut cx, request).await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        }))
    }
}
