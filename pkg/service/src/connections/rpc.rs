//! Serves thrift on one connection, with volo's codec and its loop over requests.

use std::{future::pending, sync::Arc};

use volo::{net::Address, service::Service};
use volo_thrift::{
    EntryMessage, ServerError,
    codec::{
        DefaultMakeCodec, MakeCodec as _,
        default::{framed::MakeFramedCodec, thrift::MakeThriftCodec, ttheader::MakeTTHeaderCodec},
    },
    context::ServerContext,
    tracing::DefaultProvider,
    transport::pingpong,
};

use super::{Connection, activity::Activity, timeout_stream::TimeoutStream};

/// TTHeader, framed, binary: what generated clients speak, Kitex's too.
type Codec = DefaultMakeCodec<MakeTTHeaderCodec<MakeFramedCodec<MakeThriftCodec>>>;

/// Serves one connection to its end.
pub(crate) async fn serve<S, Req>(connection: Connection, service: Arc<S>)
where
    S: Service<ServerContext, Req, Error = ServerError> + Send + Sync + 'static,
    S::Response: EntryMessage + Send + 'static,
    Req: EntryMessage + Send + 'static,
{
    let (stream, open) = connection.split();
    let (read, write) = stream.into_split();
    let (encoder, decoder) = Codec::default().make_codec(
        TimeoutStream::new(read, open.activity.clone()),
        TimeoutStream::new(write, open.activity.clone()),
    );
    let service = Watched {
        inner: service,
        activity: open.activity.clone(),
    };
    pingpong::serve(
        encoder,
        decoder,
        open.all.closing.notified(),
        open.all.draining.clone(),
        &service,
        Arc::from([]),
        Some(Address::from(open.peer)),
        DefaultProvider,
    )
    .await;
}

/// Middleware that records the phase of the connection.
struct Watched<S> {
    inner: Arc<S>,
    activity: Arc<Activity>,
}

impl<S, Req> Service<ServerContext, Req> for Watched<S>
where
    S: Service<ServerContext, Req> + Send + Sync,
    Req: Send,
{
    type Response = S::Response;
    type Error = S::Error;

    async fn call(&self, cx: &mut ServerContext, request: Req) -> Result<S::Response, S::Error> {
        if !self.activity.begin(false) {
            // The connection was evicted: its task is about to be dropped.
            return pending().await;
        }
        let result = self.inner.call(cx, request).await;
        self.activity.end();
        result
    }
}
