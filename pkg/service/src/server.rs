//! An RPC server that is registered while it serves, and that shuts down without losing a call.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use registry::{Instance, Registration, Registry};
use settings::Settings;
use tokio::task::JoinHandle;
use volo::{layer::Layer as _, service::BoxService};
use volo_thrift::{EntryMessage, ServerError, context::ServerContext};

use crate::{
    BoxError, Closer, Listener,
    admin::reachable,
    connections::{Connections, rpc},
    inbound::InboundLayer,
    secret::CallAuthenticator,
};

/// The weight of an instance. All of ours are equal; this is Kitex's default.
const WEIGHT: u32 = 10;

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
    /// An address like 0.0.0.0 can't be called.
    #[error("settings: rpc.listen: {0} can't be registered: name the address that callers reach")]
    Unspecified(SocketAddr),
}

/// A server that runs until [`stop`](Self::stop) or a signal.
pub struct Running {
    address: SocketAddr,
    leaving: Leaving,
    task: JoinHandle<()>,
}

impl Running {
    /// The address where it listens and that is registered.
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
            ended = &mut self.task => return Ok(ended?),
        }
        self.stop().await
    }

    /// Deregisters, waits until callers have noticed, drains and ends.
    ///
    /// # Errors
    /// It stopped for another reason.
    pub async fn stop(self) -> Result<(), BoxError> {
        self.leaving.leave().await;
        Ok(self.task.await?)
    }
}

/// Deregistration before the listener closes, so that no caller meets a refused connection.
struct Leaving {
    registration: Registration,
    wait: Duration,
    closer: Closer,
}

impl Leaving {
    async fn leave(self) {
        self.registration.deregister().await;
        tokio::time::sleep(self.wait).await;
        self.closer.close();
    }
}

/// Binds `rpc.listen`, serves `handler`, a generated `…ServiceServer::from_handler`, with the layers that every RPC passes, and
/// registers as an instance of `service`.
///
/// # Errors
/// The address can't be bound or registered. That etcd is away is none: the registration follows when it is back.
pub async fn start<S, Req>(
    service: &str,
    settings: &Settings,
    registry: &Registry,
    handler: S,
) -> Result<Running, StartError>
where
    S: volo::Service<ServerContext, Req, Error = ServerError> + Send + Sync + 'static,
    S::Response: EntryMessage + Send + Sync + 'static,
    Req: EntryMessage + idl::Validate + Send + 'static,
{
    start_with_admin(service, settings, registry, handler, None).await
}

/// As [`start`], with the address of the admin port in the registration.
pub(crate) async fn start_with_admin<S, Req>(
    service: &str,
    settings: &Settings,
    registry: &Registry,
    handler: S,
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
    // From here on connections wait in the listener's queue, so the instance may be registered.
    let leaving = Leaving {
        registration: registry.register(service, &instance),
        wait: Duration::from_millis(settings.rpc.deregister_wait_ms),
        closer,
    };
    // Boxed to keep the types, and with them compile time, small.
    let handler = idl::ValidateLayer.layer(BoxService::new(handler));
    let inbound = InboundLayer::new(CallAuthenticator::new(settings, service, address));
    let handler = Arc::new(inbound.layer(handler));
    let connections = Connections::new(settings.rpc.max_connections);
    let serve = move |connection| rpc::serve(connection, handler.clone());
    let task = vital::spawn("RPC server", connections.serve(listener, serve));
    Ok(Running {
        address,
        leaving,
        task,
    })
}
