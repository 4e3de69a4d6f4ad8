//! Serves HTTP/1.1 on one connection, with hyper. The caller gives the handler.

use std::{convert::Infallible, future::pending, net::SocketAddr, pin::pin};

use futures::{FutureExt as _, future::Either};
use http::{Request, Response};
use http_body::Body;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;

use super::{Admission, Connection, RequestBody, timeout_stream::TimeoutStream};
use crate::BoxError;

/// Most of a request's body that is buffered at once, in bytes.
const BUFFER: usize = 64 << 10;
/// Longest head of a request, in bytes; a longer one is answered 431. Every connection may hold an unfinished one, so it is far less than a buffer:
/// the longest text in a query, 500 characters of 12 bytes each when percent-encoded, has room three times over with the headers of a browser.
const MAX_HEAD: usize = 16 << 10;

/// Serves one connection to its end.
pub(crate) async fn serve<H, F, B>(connection: Connection, handler: H)
where
    H: Fn(SocketAddr, Request<RequestBody>) -> F + Send + Sync + 'static,
    F: Future<Output = Response<B>> + Send + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let (stream, open) = connection.split();
    let (activity, peer) = (&open.activity, open.peer);
    let service = service_fn(|request: Request<Incoming>| {
        if !activity.begin(!request.body().is_end_stream()) {
            // The connection was evicted: its task is about to be dropped.
            return Either::Left(pending());
        }
        open.all.set_client(activity, activity.own_client());
        let mut request = request.map(|body| RequestBody::new(body, activity.clone()));
        let admission = Admission::new(activity.clone(), open.all.clone());
        request.extensions_mut().insert(admission.clone());
        Either::Right(handler(peer, request).map(move |response| {
            admission.answered();
            Ok::<_, Infallible>(response)
        }))
    });
    let stream = TokioIo::new(TimeoutStream::new(stream, activity.clone()));
    let mut builder = http1::Builder::new();
    // The stream has its own timeouts.
    builder
        .header_read_timeout(None)
        .max_buf_size(BUFFER)
        .max_header_size(MAX_HEAD);
    let mut served = pin!(builder.serve_connection(stream, service));
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = open.all.closing() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        // The client left, was too slow or sent no HTTP.
        tracing::debug!(%error, "connection ended");
    }
}
