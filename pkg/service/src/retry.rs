//! Client retry middleware: sends a call in one or more attempts, each to one instance, with request id, proof and deadline, and records
//! its cost.
//!
//! An attempt whose connection never opened may go to another instance, whatever the method; where there is none, once more to the same:
//! the pool of connections sometimes fails a call that waits, though the instance is well. A request that was sent may have been
//! executed, so it is repeated only if the method's policy allows retries. All attempts share the deadline of the call. All calls of a
//! client share a retry budget.

use std::{cell::RefCell, io, net::SocketAddr, sync::Arc};

use idl::CallPolicy;
use metainfo::{Backward as _, Forward as _, METAINFO, MetaInfo};
use registry::Balancer;
use telemetry::{
    RequestId,
    cost::{self, Cost},
    metrics::{self, AttemptOutcome, CallOutcome},
    trace,
};
use tokio::time::Instant;
use tracing::Instrument as _;
use volo::{FastStr, context::Context as _, net::Address};
use volo_thrift::{ClientError, context::ClientContext, transport::SelectedTransport};

use crate::{RpcError, budget::RetryBudget, header, secret::Prover};

/// Most attempts of one call.
const MAX_ATTEMPTS: usize = 3;

pub(crate) struct RetryLayer<Req> {
    shared: Arc<Shared<Req>>,
}

/// What all calls of a client have in common.
pub(crate) struct Shared<Req> {
    pub(crate) balancer: Balancer,
    pub(crate) policy: fn(&Req) -> CallPolicy,
    pub(crate) prover: Prover,
    pub(crate) retries: RetryBudget,
}

impl<Req> RetryLayer<Req> {
    pub(crate) fn new(shared: Shared<Req>) -> Self {
        Self {
            shared: Arc::new(shared),
        }
    }
}

impl<S, Req> volo::Layer<S> for RetryLayer<Req> {
    type Service = Retry<S, Req>;

    fn layer(self, inner: S) -> Self::Service {
        Retry {
            inner,
            shared: self.shared,
        }
    }
}

pub(crate) struct Retry<S, Req> {
    inner: S,
    shared: Arc<Shared<Req>>,
}

impl<S: Clone, Req> Clone for Retry<S, Req> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            shared: self.shared.clone(),
        }
    }
}

impl<S, Req> volo::Service<ClientContext, Req> for Retry<S, Req>
where
    S: volo::Service<ClientContext, Req, Error = ClientError> + Send + Sync + 'static,
    S::Response: Send,
    Req: Clone + Send + Sync + 'static,
{
    type Response = S::Response;
    type Error = ClientError;

    async fn call(&self, cx: &mut ClientContext, req: Req) -> Result<S::Response, ClientError> {
        cost::add_rpc(1);
        let mut record = Record::begin(cx);
        // Each call has its own metadata; otherwise concurrent calls of one task would read each other's answers.
        let mut meta = forwarded();
        let span = trace::rpc_call(&record.callee, &record.method);
        if let Some(traceparent) = trace::traceparent(&span) {
            meta.set_transient(header::TRACEPARENT, traceparent);
        }
        let (result, spent) = METAINFO
            .scope(RefCell::new(meta), async {
                let result = self.call_with_retries(cx, &req).await;
                let spent =
                    METAINFO.with(|meta| meta.borrow().get_backward_downstream(header::COST));
                (result, spent)
            })
            .instrument(span.clone())
            .await;
        if let Some(spent) = spent.and_then(|text| Cost::from_header(&text)) {
            cost::add(spent);
        }
        record.outcome = match &result {
            Ok(_) => CallOutcome::Ok,
            Err(error) => RpcError::from(error).into(),
        };
        if let Err(error) = &result
            && !matches!(error, ClientError::Biz(_))
        {
            let info = cx.rpc_info();
            let (callee, method) = (info.callee().service_name_ref(), info.method());
            trace::failed(&span);
            tracing::warn!(%callee, %method, %error, "call failed");
        }
        result
    }
}

/// Records a call when it ends or is cancelled.
struct Record {
    callee: FastStr,
    method: FastStr,
    started: Instant,
    outcome: CallOutcome,
}

impl Record {
    fn begin(cx: &ClientContext) -> Self {
        let info = cx.rpc_info();
        Self {
            callee: info.callee().service_name(),
            method: info.method().clone(),
            started: Instant::now(),
            outcome: CallOutcome::Cancelled,
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let took = self.started.elapsed();
        metrics::rpc_call(&self.callee, &self.method, self.outcome, took);
    }
}

/// How one attempt failed.
enum Failure {
    /// There was no connection, so it wasn't executed.
    NotSent(io::Error),
    /// The connection broke before the answer, or the attempt timed out.
    Unanswered(io::Error),
    /// The service answered with an error or an invalid answer.
    Answered(ClientError),
}

impl<S, Req> Retry<S, Req>
where
    S: volo::Service<ClientContext, Req, Error = ClientError> + Send + Sync + 'static,
    S::Response: Send,
    Req: Clone + Send + Sync + 'static,
{
    async fn call_with_retries(
        &self,
        cx: &mut ClientContext,
        req: &Req,
    ) -> Result<S::Response, ClientError> {
        let Shared {
            balancer,
            policy,
            retries,
            ..
        } = &*self.shared;
        retries.pay_in();
        let call = policy(req);
        let deadline = Instant::now() + call.deadline;
        cx.rpc_info_mut()
            .config_mut()
            .set_rpc_timeout(Some(call.deadline));
        let mut tried: Vec<SocketAddr> = Vec::with_capacity(MAX_ATTEMPTS);
        let mut last = io::Error::from(io::ErrorKind::NotConnected);
        // The first instance whose connection never opened.
        let (mut unopened, mut has_come_back) = (None, false);
        while tried.len() < MAX_ATTEMPTS && Instant::now() < deadline {
            let address = match balancer.pick(&tried, deadline).await.map_err(not_known)? {
                Some(address) => address,
                None if !has_come_back && let Some(address) = unopened => {
                    has_come_back = true;
                    address
                }
                None => break,
            };
            if !tried.is_empty() && !retries.take() {
                metrics::rpc_retry_refused(cx.rpc_info().callee().service_name_ref());
                break;
            }
            tried.push(address);
            let another =
                tried.len() < MAX_ATTEMPTS && balancer.has_other(&tried) && retries.has_some();
            let until = if call.retry && another {
                Instant::now() + deadline.saturating_duration_since(Instant::now()) / 2
            } else {
                deadline
            };
            let attempt = self.attempt(cx, req.clone(), address, until).await;
            metrics::rpc_attempt(cx.rpc_info().callee().service_name_ref(), outcome(&attempt));
            match attempt {
                Ok(response) => {
                    balancer.succeeded(address);
                    return Ok(response);
                }
                Err(Failure::Answered(error)) => {
                    balancer.succeeded(address);
                    return Err(error);
                }
                Err(Failure::NotSent(error)) => {
                    balancer.failed(address);
                    tracing::debug!(%address, %error, "not sent");
                    unopened.get_or_insert(address);
                    last = error;
                }
                Err(Failure::Unanswered(error)) => {
                    balancer.failed(address);
                    tracing::debug!(%address, %error, "unanswered");
                    last = error;
                    if !call.retry {
                        break;
                    }
                }
            }
        }
        Err(last.into())
    }

    async fn attempt(
        &self,
        cx: &mut ClientContext,
        req: Req,
        address: SocketAddr,
        until: Instant,
    ) -> Result<S::Response, Failure> {
        cx.rpc_info_mut()
            .callee_mut()
            .set_address(Address::from(address));
        cx.extensions_mut().remove::<SelectedTransport>();
        self.shared.prover.prove(cx, address);
        let timeout = until.saturating_duration_since(Instant::now());
        // The metadata belongs to this call alone.
        let _ = METAINFO.try_with(|meta| {
            meta.borrow_mut()
                .set_transient(header::TIMEOUT_MS, timeout.as_millis().to_string());
        });
        let result = tokio::time::timeout_at(until, self.inner.call(cx, req)).await;
        // The transport sets this when it has a connection, before it writes.
        let sent = cx.extensions().contains::<SelectedTransport>();
        match result {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(ClientError::Transport(error))) if sent => Err(Failure::Unanswered(renamed(
                io::ErrorKind::ConnectionAborted,
                &error,
            ))),
            Ok(Err(ClientError::Transport(error))) => Err(Failure::NotSent(renamed(
                io::ErrorKind::NotConnected,
                &error,
            ))),
            Ok(Err(error)) => Err(Failure::Answered(error)),
            Err(elapsed) if sent => Err(Failure::Unanswered(io::Error::new(
                io::ErrorKind::TimedOut,
                elapsed,
            ))),
            Err(elapsed) => Err(Failure::NotSent(renamed(
                io::ErrorKind::NotConnected,
                &elapsed,
            ))),
        }
    }
}

fn outcome<T>(attempt: &Result<T, Failure>) -> AttemptOutcome {
    match attempt {
        Ok(_) | Err(Failure::Answered(_)) => AttemptOutcome::Answered,
        Err(Failure::NotSent(_)) => AttemptOutcome::NotSent,
        Err(Failure::Unanswered(_)) => AttemptOutcome::Unanswered,
    }
}

/// Callers distinguish failures by the kind; the message is for the log.
fn renamed(kind: io::ErrorKind, error: &dyn std::fmt::Display) -> io::Error {
    io::Error::new(kind, error.to_string())
}

fn not_known(error: registry::RegistryError) -> ClientError {
    renamed(io::ErrorKind::NotConnected, &error).into()
}

/// The metadata of a call: the persistent values of the request that is handled, and its id.
pub(crate) fn forwarded() -> MetaInfo {
    let mut meta = MetaInfo::new();
    let persistent = METAINFO.try_with(|meta| meta.borrow().get_all_persistents().cloned());
    for (key, value) in persistent.ok().flatten().into_iter().flatten() {
        meta.set_persistent(key, value);
    }
    if let Some(id) = RequestId::current() {
        meta.set_persistent(header::REQUEST_ID, id.as_str().to_owned());
    }
    meta
}
