//! Shared by the tests: settings, servers in the test's process, and servers that break connections.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use echo::{Echo, SERVICE, login};
use idl::{
    Call as _, CallPolicy,
    user::{RegisterRequest, UserServiceClient, UserServiceClientBuilder, UserServiceRequestSend},
};
use registry::{Instance, Registration};
use service::{Clients, Registry, RpcError, Running};
use settings::Settings;
use testkit::{Etcd, eventually};
use tokio::{io::AsyncReadExt as _, net::TcpListener};

/// Enough for anything that is to happen soon, on a busy machine.
pub const SOON: Duration = Duration::from_secs(20);

/// The deadline of every call.
pub const LIMIT: Duration = Duration::from_secs(2);

/// The policies of the .thrift file with a deadline that a test can wait for: `login` is retried, `register` is not.
pub fn policy(request: &UserServiceRequestSend) -> CallPolicy {
    CallPolicy {
        deadline: LIMIT,
        ..request.policy()
    }
}

pub fn settings(etcd: &Etcd) -> Settings {
    let mut settings = Settings::load().unwrap();
    settings.etcd.endpoints = vec![etcd.endpoint()];
    settings.etcd.lease_ttl_s = 2;
    settings.rpc.listen = ([127, 0, 0, 1], 0).into();
    settings.rpc.deregister_wait_ms = 300;
    settings
}

pub async fn registry(etcd: &Etcd) -> Registry {
    Registry::new(&settings(etcd)).await.unwrap()
}

pub async fn client_of(etcd: &Etcd, service: &str) -> UserServiceClient {
    client_by(&settings(etcd), service).await
}

pub async fn client_by(settings: &Settings, service: &str) -> UserServiceClient {
    let clients = Clients::new("test", settings).await.unwrap();
    clients.client_with(UserServiceClientBuilder::new(service), policy)
}

pub async fn client(etcd: &Etcd) -> UserServiceClient {
    client_of(etcd, SERVICE).await
}

/// An instance of `service` in this process, which passes on to `next`.
pub async fn serve(etcd: &Etcd, service: &str, next: &str) -> (Running, Echo) {
    serve_by(&settings(etcd), service, client_of(etcd, next).await).await
}

pub async fn serve_by(
    settings: &Settings,
    service: &str,
    next: UserServiceClient,
) -> (Running, Echo) {
    let echo = Echo::new(next);
    let registry = Registry::new(settings).await.unwrap();
    let running = service::start(service, settings, &registry, echo.clone()).await;
    (running.unwrap(), echo)
}

/// Waits until a client of this etcd knows so many instances.
pub async fn until_registered(etcd: &Etcd, service: &str, count: usize) {
    until_registered_by(&settings(etcd), service, count).await;
}

/// Waits until a client with these settings knows so many instances.
pub async fn until_registered_by(settings: &Settings, service: &str, count: usize) {
    let registry = Registry::new(settings).await.unwrap();
    let instances = registry.instances(service);
    eventually(
        SOON,
        &format!("{count} instances of {service}"),
        async || (instances.current().len() == count).then_some(()),
    )
    .await;
}

pub async fn ask(client: &UserServiceClient, what: &str) -> Result<i64, RpcError> {
    let answer = client.login(login(what)).await?;
    Ok(answer.user_id)
}

pub async fn ask_once(client: &UserServiceClient, what: &str) -> Result<i64, RpcError> {
    let request = RegisterRequest {
        username: what.to_owned().into(),
        password: "12345".into(),
    };
    let answer = client.register(request).await?;
    Ok(answer.user_id)
}

/// An instance that takes a request and then breaks the connection, as a process does that is killed at work.
pub struct Breaking {
    taken: Arc<AtomicUsize>,
    _registration: Registration,
}

impl Breaking {
    pub async fn register(etcd: &Etcd) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let taken = Arc::new(AtomicUsize::new(0));
        let registration = register(etcd, listener.local_addr().unwrap()).await;
        let count = taken.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let count = count.clone();
                tokio::spawn(async move {
                    if stream.read(&mut [0; 1024]).await.is_ok_and(|read| read > 0) {
                        count.fetch_add(1, Ordering::SeqCst);
                    }
                });
            }
        });
        Self {
            taken,
            _registration: registration,
        }
    }

    /// Requests that reached it.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }
}

/// Registers an address of the test's own.
pub async fn register(etcd: &Etcd, address: SocketAddr) -> Registration {
    let mut registration = registry(etcd)
        .await
        .register(SERVICE, &Instance::new(address, 10));
    registration.registered().await;
    registration
}

/// An address that refuses connections.
pub async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}
