//! A running RPC server: registered while it serves, and stopped without losing a call.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use registry::{Instance, Registration, Registry};
use settings::Settings;
use tokio::{sync::OnceCell, task::JoinHandle};
use volo::layer::Identity;
use volo_thrift::{
    EntryMessage, ServerError,
    codec::{
        DefaultMakeCodec,
        default::{framed::MakeFramedCodec, thrift::MakeThriftCodec, ttheader::MakeTTHeaderCodec},
    },
    context::ServerContext,
    server::Server,
    tracing::DefaultProvider,
};

use crate::{BoxError, Closer, Listener, admin::reachable, inbound::InboundLayer};

/// An instance's share of the calls. All of ours are equal; this is what Kitex gives one by default.
const WEIGHT: u32 = 10;

/// What a generated `…ServiceServer::new` gives.
pub(crate) type Generated<S, Req> = Server<
    S,
    Identity,
    Req,
    DefaultMakeCodec<MakeTTHeaderCodec<MakeFramedCodec<MakeThriftCodec>>>,
    DefaultProvider,
>;

/// Why a server can't start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is in use or isn't of this machine.
    #[error("settings: rpc.listen: {address}: {source}")]
    Bind {
        /// What was asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// Nobody could call an address like 0.0.0.0.
    #[error("settings: rpc.listen: {0} can't be registered: name the address that callers reach")]
    Unspecified(SocketAddr),
}

/// A server that runs until it is told to [`stop`](Self::stop), or by a signal.
pub struct Running {
    address: SocketAddr,
    leaving: Arc<Leaving>,
    task: JoinHandle<Result<(), BoxError>>,
}

impl Running {
    /// Where it listens, and as what it is registered.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Runs until `stopping` is over, then [`stop`](Self::stop)s.
    ///
    /// # Errors
    /// It stopped for another reason.
    pub(crate) async fn until(
        mut self,
        stopping: impl Future<Output = ()>,
    ) -> Result<(), BoxError> {
        tokio::select! {
            () = stopping => {}
            result = &mut self.task => return result?,
        }
        self.stop().await
    }

    /// Leaves the registry, waits until the callers know, finishes what is under way, and ends.
    ///
    /// # Errors
    /// It stopped for another reason.
    pub async fn stop(self) -> Result<(), BoxError> {
        self.leaving.leave().await;
        self.task.await?
    }
}

/// What comes before closing: nobody may be sent here any more when connections are refused.
struct Leaving {
    registration: Mutex<Option<Registration>>,
    wait: Duration,
    closer: Closer,
    left: OnceCell<()>,
}

impl Leaving {
    /// The framework reacts to signals, too: whoever comes second waits for the first.
    async fn leave(&self) {
        self.left
            .get_or_init(async || {
                let registration = self.registration.lock();
                let registration = registration.unwrap_or_else(PoisonError::into_inner).take();
                if let Some(registration) = registration {
                    registration.deregister().await;
                }
                tokio::time::sleep(self.wait).await;
                self.closer.close();
            })
            .await;
    }
}

/// Binds `rpc.listen`, serves with the layers that every RPC passes, and registers as an instance of `service`.
///
/// # Errors
/// The address can't be bound or registered. That etcd is away is none: the registration follows when it is back.
pub async fn start<S, Req>(
    service: &str,
    settings: &Settings,
    registry: &Registry,
    server: Generated<S, Req>,
) -> Result<Running, StartError>
where
    S: volo::Service<ServerContext, Req, Error = ServerError> + Send + Sync + 'static,
    S::Response: EntryMessage + Send + Sync + 'static,
    Req: EntryMessage + idl::Validate + Send + 'static,
{
    start_with_admin(service, settings, registry, server, None).await
}

/// As [`start`], and whoever finds the instance finds its admin port, too.
pub(crate) async fn start_with_admin<S, Req>(
    service: &str,
    settings: &Settings,
    registry: &Registry,
    server: Generated<S, Req>,
    admin: Option<SocketAddr>,
) -> Result<Running, StartError>
where
    S: volo::Service<ServerContext, Req, Error = ServerError> + Send + Sync + 'static,
    S::Response: EntryMessage + Send + Sync + 'static,
    Req: EntryMessage + idl::Validate + Send + 'static,
{
    let listen = settings.rpc.listen;
    if listen.ip().is_unspecified() {
        return Err(StartError::Unspecified(listen));
    }
    let (listener, closer) = Listener::bind(listen, false).map_err(|source| StartError::Bind {
        address: listen,
        source,
    })?;
    let address = listener.address();
    let instance = Instance {
        admin: admin.map(|admin| reachable(admin, address)),
        ..Instance::new(address, WEIGHT)
    };
    // Connections wait in the listener's queue from here on, so that it may be registered.
    let leaving = Arc::new(Leaving {
        registration: Mutex::new(Some(registry.register(service, &instance))),
        wait: Duration::from_millis(settings.rpc.deregister_wait_ms),
        closer,
        left: OnceCell::new(),
    });
    let hook = leaving.clone();
    let server = server
        .layer(InboundLayer)
        .layer(idl::ValidateLayer)
        .register_shutdown_hook(move || Box::pin(async move { hook.leave().await }));
    let task = tokio::spawn(server.run(listener));
    Ok(Running {
        address,
        leaving,
        task,
    })
}
