//! Builds the clients of other services, with validation, discovery, load balancing, retries and the request id.

use std::{sync::Arc, time::Duration};

use idl::CallPolicy;
use registry::{Balancer, Registry, RegistryError};
use settings::Settings;
use volo::{
    client::MkClient,
    layer::Identity,
    loadbalance::{CustomLayer, LbConfig},
    net::dial::DefaultMakeTransport,
    service::BoxCloneService,
};
use volo_thrift::{
    Client, ClientError, EntryMessage,
    client::ClientBuilder,
    codec::{
        DefaultMakeCodec,
        default::{framed::MakeFramedCodec, thrift::MakeThriftCodec, ttheader::MakeTTHeaderCodec},
    },
    context::ClientContext,
    transport::pool,
};

use crate::{
    budget::RetryBudget,
    reply::make_client_codec,
    retry::{RetryLayer, Shared},
    secret::Prover,
};

/// Idle connections that a client keeps to one instance at most, and for how long.
const MAX_IDLE: usize = 256;
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// What a generated `…ServiceClientBuilder::new` gives.
pub(crate) type Builder<MkC, Req, Resp, Lb> = ClientBuilder<
    Identity,
    Identity,
    MkC,
    Req,
    Resp,
    DefaultMakeTransport,
    DefaultMakeCodec<MakeTTHeaderCodec<MakeFramedCodec<MakeThriftCodec>>>,
    Lb,
>;

/// Makes clients. Cheap to clone.
#[derive(Clone)]
pub struct Clients {
    caller: Arc<str>,
    registry: Registry,
    connect_timeout: Duration,
    prover: Prover,
    retry_percent: u32,
    retry_burst: u32,
}

impl Clients {
    /// Clients for the process called `caller`, by the settings' `etcd` and `rpc`. Needs no etcd yet.
    ///
    /// # Errors
    /// An etcd endpoint isn't a URL.
    pub async fn new(caller: &str, settings: &Settings) -> Result<Self, RegistryError> {
        let registry = Registry::new(settings).await?;
        Ok(Self::with_registry(caller, settings, registry))
    }

    pub(crate) fn with_registry(caller: &str, settings: &Settings, registry: Registry) -> Self {
        Self {
            caller: caller.into(),
            registry,
            connect_timeout: Duration::from_millis(settings.rpc.connect_timeout_ms),
            prover: Prover::new(settings),
            retry_percent: settings.rpc.retry_percent,
            retry_burst: settings.rpc.retry_burst,
        }
    }

    /// The client of the service that `builder` names. Each method is called as the annotations in its .thrift file say. Cheap to clone;
    /// make one per service, in a runtime: it has the budget of all retries.
    ///
    /// Until etcd has answered for the first time, calls wait for it within their deadline.
    pub fn client<MkC, Req, Resp, Lb, Disc>(
        &self,
        builder: Builder<MkC, Req, Resp, LbConfig<Lb, Disc>>,
    ) -> MkC::Target
    where
        MkC: MkClient<Client<BoxCloneService<ClientContext, Req, Option<Resp>, ClientError>>>,
        Req: EntryMessage + idl::Validate + idl::Call + Clone + Send + Sync + 'static,
        Resp: EntryMessage + Clone + Send + Sync + 'static,
    {
        self.client_with(builder, Req::policy)
    }

    /// As [`client`](Self::client), with deadlines and retries of the caller's own.
    pub fn client_with<MkC, Req, Resp, Lb, Disc>(
        &self,
        builder: Builder<MkC, Req, Resp, LbConfig<Lb, Disc>>,
        policy: fn(&Req) -> CallPolicy,
    ) -> MkC::Target
    where
        MkC: MkClient<Client<BoxCloneService<ClientContext, Req, Option<Resp>, ClientError>>>,
        Req: EntryMessage + idl::Validate + Clone + Send + Sync + 'static,
        Resp: EntryMessage + Clone + Send + Sync + 'static,
    {
        let service = builder.get_callee_name().clone();
        let instances = self.registry.instances(&service);
        builder
            .make_codec(DefaultMakeCodec::new(make_client_codec()))
            .caller_name(&self.caller)
            .connect_timeout(Some(self.connect_timeout))
            .pool_config(pool::Config::new(MAX_IDLE, IDLE_TIMEOUT))
            // The limit of a call depends on its method. The layer below keeps it, for reading and writing, too: the
            // framework's own limit for those is a socket option that does nothing on an asynchronous socket.
            .disable_timeout_layer()
            .mk_load_balance(CustomLayer(RetryLayer::new(Shared {
                balancer: Balancer::new(instances),
                policy,
                prover: self.prover.clone(),
                retries: RetryBudget::new(self.retry_percent, self.retry_burst),
            })))
            .layer_outer_front(idl::ValidateLayer)
            .build()
    }
}
