//! Server middleware, the outermost: authentication of the call, request id, trace, metrics, and errors without internals.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::FutureExt as _;
use idl::base::Code;
use metainfo::{Backward as _, Forward as _, METAINFO};
use telemetry::{RequestId, cost, metrics, trace};
use tracing::Instrument as _;
use volo::context::Context as _;
use volo_thrift::{BizError, ServerError, context::ServerContext};

use crate::{RpcError, header, reply::Reply, secret::CallAuthenticator, strict::NotUtf8};

/// Refuses a call without a valid proof. Sets the request id and counts the cost, writes the request's log line, and turns a panic or an
/// unexpected error into an answer without internals.
#[derive(Clone)]
pub(crate) struct InboundLayer {
    authenticator: Arc<CallAuthenticator>,
}

impl InboundLayer {
    pub(crate) fn new(authenticator: CallAuthenticator) -> Self {
        Self {
            authenticator: Arc::new(authenticator),
        }
    }
}

impl<S> volo::Layer<S> for InboundLayer {
    type Service = Inbound<S>;

    fn layer(self, inner: S) -> Self::Service {
        Inbound {
            inner,
            authenticator: self.authenticator,
        }
    }
}

pub(crate) struct Inbound<S> {
    inner: S,
    authenticator: Arc<CallAuthenticator>,
}

impl<S, Req> volo::Service<ServerContext, Req> for Inbound<S>
where
    S: volo::Service<ServerContext, Req, Error = ServerError> + Send + Sync + 'static,
    S::Response: Send,
    Req: Send + 'static,
{
    type Response = Reply<S::Response>;
    type Error = ServerError;

    async fn call(&self, cx: &mut ServerContext, req: Req) -> Result<Self::Response, ServerError> {
        let result = match self.authenticator.authenticate(cx) {
            Ok(()) => {
                accept_timeout(cx);
                let id = METAINFO.try_with(|meta| meta.borrow().get_persistent(header::REQUEST_ID));
                let id = RequestId::accept_or_generate(id.ok().flatten().as_deref());
                telemetry::scope(id, self.logged(cx, req)).await
            }
            Err(reason) => Err(refuse(cx, reason)),
        };
        Reply::new(cx, result)
    }
}

/// Kitex's clients say for how long they wait in a header of its own; ours, who know it better, in the metadata.
fn accept_timeout(cx: &ServerContext) {
    let Some(limit) = cx.rpc_info().config().rpc_timeout() else {
        return;
    };
    // Outside of a scope there is no caller.
    let _ = METAINFO.try_with(|meta| {
        let mut meta = meta.borrow_mut();
        if meta.get_upstream(header::TIMEOUT_MS).is_none() {
            meta.set_upstream(header::TIMEOUT_MS, limit.as_millis().to_string());
        }
    });
}

/// The answer to an unexpected failure.
fn is_fault(error: &BizError) -> bool {
    !matches!(RpcError::from(error), RpcError::Biz(_))
}

/// Logs a call without a valid proof. The caller's name in it may be forged.
fn refuse(cx: &ServerContext, reason: String) -> BizError {
    let info = cx.rpc_info();
    let from = info.caller().address().map(|from| from.to_string());
    tracing::warn!(method = %info.method(), from, reason, "refused");
    let error = idl::biz(Code::INTERNAL, reason);
    metrics::rpc_served(info.method(), error.status_code, Duration::ZERO);
    error
}

impl<S> Inbound<S> {
    async fn logged<Req>(&self, cx: &mut ServerContext, req: Req) -> Result<S::Response, BizError>
    where
        S: volo::Service<ServerContext, Req, Error = ServerError> + Send + Sync + 'static,
        S::Response: Send,
        Req: Send + 'static,
    {
        let started = Instant::now();
        let _in_progress = metrics::rpc_in_progress();
        let parent = METAINFO.try_with(|meta| meta.borrow().get_upstream(header::TRACEPARENT));
        let span = trace::rpc_served(cx.rpc_info().method(), parent.ok().flatten().as_deref());
        let work = cost::scope(self.guarded(cx, req)).instrument(span.clone());
        let (result, cost) = work.await;
        // Outside of a scope there is no caller.
        let _ = METAINFO.try_with(|meta| {
            meta.borrow_mut()
                .set_backward_transient(header::COST, cost.to_header());
        });
        let elapsed = started.elapsed();
        let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        let info = cx.rpc_info();
        let code = result.as_ref().err().map_or(0, |error| error.status_code);
        metrics::rpc_served(info.method(), code, elapsed);
        if result.as_ref().is_err_and(is_fault) {
            trace::failed(&span);
        }
        tracing::info!(
            method = %info.method(),
            caller = info.caller().service_name_ref(),
            code,
            elapsed_ms,
            rpcs = cost.rpcs,
            sql = cost.sql,
            "served"
        );
        result
    }

    async fn guarded<Req>(&self, cx: &mut ServerContext, req: Req) -> Result<S::Response, BizError>
    where
        S: volo::Service<ServerContext, Req, Error = ServerError> + Send + Sync + 'static,
        S::Response: Send,
        Req: Send + 'static,
    {
        if cx.extensions().contains::<NotUtf8>() {
            return Err(idl::biz(
                Code::BAD_PARAMETER,
                "a string of the request isn't UTF-8",
            ));
        }
        match AssertUnwindSafe(self.inner.call(cx, req))
            .catch_unwind()
            .await
        {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(ServerError::Biz(error))) => Err(error),
            Ok(Err(ServerError::Application(error))) => {
                tracing::error!(%error, "unforeseen error");
                Err(RpcError::Internal.into())
            }
            // The panic hook has logged it.
            Err(_) => Err(RpcError::Internal.into()),
        }
    }
}
