//! Serves thrift on one connection, with volo's codec and its loop over requests.

use std::{future::pending, sync::Arc};

use volo::{context::Context as _, net::Address, service::Service};
use volo_thrift::{
    EntryMessage, ServerError, codec::MakeCodec as _, context::ServerContext,
    tracing::DefaultProvider, transport::pingpong,
};

use super::{
    Connection, activity::Activity, codec::make_server_codec, timeout_stream::TimeoutStream,
};
use crate::strict::{NotUtf8, Strict};

/// Serves one connection to its end.
pub(crate) async fn serve<S, Req>(connection: Connection, service: Arc<S>)
where
    S: Service<ServerContext, Req, Error = ServerError> + Send + Sync + 'static,
    S::Response: EntryMessage + Send + 'static,
    Req: EntryMessage + Send + 'static,
{
    let (stream, open) = connection.split();
    let (read, write) = stream.into_split();
    let (encoder, decoder) = make_server_codec().make_codec(
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

/// Middleware that records the phase of the connection, and passes on what decoding has found.
struct Watched<S> {
    inner: Arc<S>,
    activity: Arc<Activity>,
}

impl<S, Req> Service<ServerContext, Strict<Req>> for Watched<S>
where
    S: Service<ServerContext, Req> + Send + Sync,
    Req: Send,
{
    type Response = S::Response;
    type Error = S::Error;

    async fn call(
        &self,
        cx: &mut ServerContext,
        call: Strict<Req>,
    ) -> Result<S::Response, S::Error> {
        if !self.activity.begin(false) {
            // The connection was evicted: its task is about to be dropped.
            return pending().await;
        }
        if !call.texts_are_utf8 {
            cx.extensions_mut().insert(NotUtf8);
        }
        let result = self.inner.call(cx, call.request).await;
        self.activity.end();
        result
    }
}
