//! One process from start to end: settings, logs, admin port, and the server.

use std::{
    env, fmt::Display, fs, io, net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc,
    time::Duration,
};

use ::http::{Request, Response};
use http_body::Body;
use registry::Registry;
use settings::Settings;
use tokio::net::TcpListener;
use volo::{client::MkClient, loadbalance::LbConfig, service::BoxCloneService};
use volo_thrift::{
    Client, ClientError, EntryMessage, ServerError,
    context::{ClientContext, ServerContext},
};

use crate::{
    Admin, BoxError, Clients, Listener, Need, RequestBody,
    client::Builder,
    connections::{Connections, http},
    descriptors,
    error::chain,
    peers,
    readiness::Readiness,
    server,
    signals::Signals,
};

/// The environment variable that names a file into which the process writes its listening address: needed when it starts on port 0.
const ADDRESS_FILE_VARIABLE: &str = "DOUSHENG_ADDRESS_FILE";
/// The same for the address of the admin port.
const ADMIN_ADDRESS_FILE_VARIABLE: &str = "DOUSHENG_ADMIN_ADDRESS_FILE";
/// Stack of a worker thread, in bytes; only the part that is used takes memory. Futures nest deeply: in a build without optimisation a
/// like overflows the usual 2 MiB.
const THREAD_STACK: usize = 8 << 20;
/// Blocking work that is still under way at the end is waited for this long.
const RUNTIME_SHUTDOWN: Duration = Duration::from_secs(1);

/// What the main function of a process works with.
pub struct Process {
    name: String,
    settings: Settings,
    registry: Registry,
    signals: Signals,
    admin: Admin,
    admin_address: SocketAddr,
}

/// The main of every process: reads the settings, sets up logs and the runtime, and runs `main`; then the process ends. A failure is
/// logged, or printed if there are no logs yet. The first signal to stop begins the graceful shutdown of a server. A signal before
/// anything is served, and any second signal, ends the process at once. The panic of a vital task also begins the shutdown, and the
/// process fails.
pub fn run(name: &str, main: impl AsyncFnOnce(Process) -> Result<(), BoxError>) -> ExitCode {
    let prepared = prepare(name);
    let (settings, runtime) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            eprintln!("{name}: {}", chain(&*error));
            return ExitCode::FAILURE;
        }
    };
    let result: Result<(), BoxError> = runtime.block_on(async {
        let signals = Signals::listen()?;
        let registry = Registry::new(&settings).await?;
        let admin = Admin(Arc::new(Readiness::new(name, signals.state())));
        let admin_address = serve_admin(&admin, &settings).await?;
        tracing::info!(name, "started");
        let process = Process {
            name: name.to_owned(),
            settings,
            registry,
            signals,
            admin,
            admin_address,
        };
        let registry = process.registry.clone();
        process.check("etcd", Need::Optional, move || {
            let registry = registry.clone();
            async move { registry.ping().await }
        });
        main(process).await?;
        match vital::failed() {
            Some(task) => Err(format!("the task \"{task}\" has panicked").into()),
            None => Ok(()),
        }
    });
    telemetry::trace::finish();
    runtime.shutdown_timeout(RUNTIME_SHUTDOWN);
    match result {
        Ok(()) => {
            tracing::info!(name, "stopped");
            ExitCode::SUCCESS
        }
        Err(error) => {
            tracing::error!(name, error = chain(&*error), "failed");
            ExitCode::FAILURE
        }
    }
}

fn prepare(name: &str) -> Result<(Settings, tokio::runtime::Runtime), BoxError> {
    let settings = Settings::load()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_stack_size(THREAD_STACK)
        .enable_all()
        .build()?;
    let entered = runtime.enter();
    telemetry::init(name, &settings.log, &settings.trace)?;
    descriptors::raise();
    drop(entered);
    Ok((settings, runtime))
}

/// Binds the admin port and serves it from now on, so that it answers even if the start of the process hangs.
async fn serve_admin(admin: &Admin, settings: &Settings) -> Result<SocketAddr, BoxError> {
    let address = settings.admin.listen;
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| format!("settings: admin.listen: {address}: {error}"))?;
    let address = listener.local_addr()?;
    vital::spawn("admin port", admin.clone().serve(listener));
    vital::spawn("upkeep of metrics", admin.clone().upkeep());
    tracing::info!(%address, "admin port");
    write_address(address, ADMIN_ADDRESS_FILE_VARIABLE)?;
    Ok(address)
}

impl Process {
    /// The settings it was started with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The admin endpoints.
    pub fn admin(&self) -> &Admin {
        &self.admin
    }

    /// Adds a dependency to `/readyz`. `check` runs at most once a second, for at most a second. Its error is shown, so it must hold no
    /// secret. etcd is always checked.
    pub fn check<F, E>(&self, name: &str, need: Need, check: impl Fn() -> F + Send + Sync + 'static)
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: Display,
    {
        self.admin.0.add(name, need, check);
    }

    /// Adds a service that this process calls to `/readyz`: whether instances are known, and what their own reports say.
    pub fn check_service(&self, service: &str, need: Need) {
        let instances = self.registry.instances(service);
        let ask = move || peers::ask(instances.clone());
        self.admin
            .0
            .add_with_limit(service, need, peers::SERVICE_LIMIT, ask);
    }

    /// Makes clients of other services.
    pub fn clients(&self) -> Clients {
        Clients::with_registry(&self.name, &self.settings, self.registry.clone())
    }

    /// The client of another service; see [`Clients::client`].
    pub fn client<MkC, Req, Resp, Lb, Disc>(
        &self,
        builder: Builder<MkC, Req, Resp, LbConfig<Lb, Disc>>,
    ) -> MkC::Target
    where
        MkC: MkClient<Client<BoxCloneService<ClientContext, Req, Option<Resp>, ClientError>>>,
        Req: EntryMessage + idl::Validate + idl::Call + Clone + Send + Sync + 'static,
        Resp: EntryMessage + Clone + Send + Sync + 'static,
    {
        self.clients().client(builder)
    }

    /// Waits until a signal stops this process, which serves nothing but its admin port. Its address file, if one is named, gets the
    /// address of that.
    pub async fn stopped(self) {
        if let Err(error) = publish(self.admin_address) {
            tracing::error!(%error, "the address is not written");
        }
        self.signals.stopping().await;
    }

    /// Serves as an instance of the service of this process's name, until a signal has stopped it.
    ///
    /// # Errors
    /// It can't start, see [`start`](crate::start), or its address can't be written.
    pub async fn serve_rpc<S, Req>(self, handler: S) -> Result<(), BoxError>
    where
        S: volo::Service<ServerContext, Req, Error = ServerError> + Send + Sync + 'static,
        S::Response: EntryMessage + Send + Sync + 'static,
        Req: EntryMessage + idl::Validate + Send + 'static,
    {
        let admin = Some(self.admin_address);
        let running =
            server::start_with_admin(&self.name, &self.settings, &self.registry, handler, admin)
                .await?;
        publish(running.address())?;
        running.until(self.signals.stopping()).await
    }

    /// Serves HTTP on `http.listen` until a signal has stopped it: each request is given to `handler` with the address it comes
    /// from, and with its [`Admission`](crate::Admission).
    ///
    /// # Errors
    /// The address is in use or isn't of this machine, or it can't be written.
    pub async fn serve_http<H, F, B>(self, handler: H) -> Result<(), BoxError>
    where
        H: Fn(SocketAddr, Request<RequestBody>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    {
        let settings = &self.settings.http;
        let (address, shared) = (settings.listen, settings.shared_port);
        let (listener, closer) = Listener::bind(address, shared)
            .map_err(|error| format!("settings: http.listen: {address}: {error}"))?;
        publish(listener.address())?;
        let stopping = self.signals.stopping();
        tokio::spawn(async move {
            stopping.await;
            closer.close();
        });
        let serve = move |connection| http::serve(connection, handler.clone());
        Connections::for_http(&self.settings)?
            .serve(listener, serve)
            .await;
        Ok(())
    }
}

/// Logs the address and writes it into the file, if one is named.
fn publish(address: SocketAddr) -> io::Result<()> {
    tracing::info!(%address, "listening");
    write_address(address, ADDRESS_FILE_VARIABLE)
}

/// Writes an address atomically into the file that `variable` names, if it is set.
fn write_address(address: SocketAddr, variable: &str) -> io::Result<()> {
    let Some(file) = env::var_os(variable).map(PathBuf::from) else {
        return Ok(());
    };
    let mut unfinished = file.clone().into_os_string();
    unfinished.push(".unfinished");
    fs::write(&unfinished, address.to_string())?;
    fs::rename(&unfinished, &file)
}
