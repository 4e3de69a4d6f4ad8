//! Service registration and discovery in etcd, in the layout that Kitex uses, so that Kitex services and ours find each other.
//!
//! Every call to etcd has a deadline, and the process works on while etcd is away: the registration is made when etcd is back, and the last
//! list of instances is kept. Instances without a valid signature are ignored, so write access to etcd isn't enough to receive calls. This
//! crate doesn't know volo.

mod balance;
mod discovery;
mod error;
mod instance;
mod login;
mod registration;
mod retry;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use etcd_client::{Client, ConnectOptions, GetOptions, TlsOptions};
use proof::Secrets;
use settings::{ClearSecret, Settings};

pub use balance::Balancer;
pub use discovery::Instances;
use discovery::Source;
pub use error::RegistryError;
pub use instance::Instance;
pub use registration::Registration;
use retry::within;

/// How long opening a connection to etcd may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How often an idle connection to etcd is probed, and how long a probe may take before the connection is closed.
const PING_INTERVAL: Duration = Duration::from_secs(5);
const PING_TIMEOUT: Duration = Duration::from_secs(3);
/// A client of the registry. Cheap to clone.
#[derive(Clone)]
pub struct Registry(Arc<Inner>);

struct Inner {
    client: Client,
    prefix: String,
    lease_ttl_s: i64,
    relist_period: Duration,
    secrets: Secrets,
    unsigned: Unsigned,
    watched: Mutex<HashMap<String, Instances>>,
}

/// Services whose instances need no signature.
enum Unsigned {
    Every,
    Named(Vec<String>),
}

impl Registry {
    /// Prepares the connection; etcd may be away. Call it in a tokio runtime.
    ///
    /// # Errors
    /// An endpoint isn't a URL, or the root certificates can't be used.
    pub async fn new(settings: &Settings) -> Result<Self, RegistryError> {
        let rpc = &settings.rpc;
        let unsigned = match rpc.clear_secret {
            ClearSecret::Show => Unsigned::Every,
            ClearSecret::Accept | ClearSecret::Refuse => {
                Unsigned::Named(rpc.unsigned_services.clone())
            }
        };
        let secrets = Secrets::new(settings);
        let settings = &settings.etcd;
        let mut options = ConnectOptions::new()
            .with_connect_timeout(CONNECT_TIMEOUT)
            .with_keep_alive(PING_INTERVAL, PING_TIMEOUT)
            .with_keep_alive_while_idle(true)
            // A member without a leader then ends its watches; otherwise they would just be silent.
            .with_require_leader(true)
            .with_auto_token_refresh(true);
        if settings.endpoints.iter().any(|e| e.starts_with("https://")) {
            let roots = tls::trust_anchors(settings.ca_file.as_deref())?;
            options = options.with_tls(TlsOptions::new().trust_anchors(roots));
        }
        let client = Client::connect(&settings.endpoints, Some(options)).await?;
        if !settings.username.is_empty() {
            let (name, password) = (settings.username.clone(), settings.password.clone());
            let log_in = login::log_in(client.clone(), name, password);
            vital::spawn("login to etcd", log_in);
        }
        Ok(Self(Arc::new(Inner {
            client,
            prefix: settings.prefix.clone(),
            lease_ttl_s: settings.lease_ttl_s,
            relist_period: Duration::from_millis(settings.relist_period_ms),
            secrets,
            unsigned,
            watched: Mutex::default(),
        })))
    }

    /// Registers this process as `instance` of `service`. A background task keeps the registration until the returned value is dropped or
    /// deregistered. It is signed if there is a secret.
    pub fn register(&self, service: &str, instance: &Instance) -> Registration {
        let key = format!("{}{}", self.service_prefix(service), instance.address);
        let signature = self.0.secrets.sign_registration(service, instance.address);
        let value = instance.to_json(signature);
        Registration::start(self.0.client.clone(), key, value, self.0.lease_ttl_s)
    }

    /// Succeeds if etcd answers a linearizable read.
    ///
    /// # Errors
    /// It doesn't, or not in time.
    pub async fn ping(&self) -> Result<(), RegistryError> {
        let options = GetOptions::new().with_count_only();
        let mut kv = self.0.client.kv_client();
        within(kv.get(self.0.prefix.as_str(), Some(options))).await?;
        Ok(())
    }

    /// The instances of `service`, kept up to date by one background task per service. To be called in a runtime.
    pub fn instances(&self, service: &str) -> Instances {
        let watched = self.0.watched.lock();
        let mut watched = watched.unwrap_or_else(PoisonError::into_inner);
        if let Some(instances) = watched.get(service) {
            return instances.clone();
        }
        let is_signed = match &self.0.unsigned {
            Unsigned::Every => false,
            Unsigned::Named(services) => !services.iter().any(|named| named == service),
        };
        let source = Source {
            client: self.0.client.clone(),
            service: service.to_owned(),
            prefix: self.service_prefix(service),
            secrets: is_signed.then(|| self.0.secrets.clone()),
            relist_period: self.0.relist_period,
        };
        let lease_ttl = Duration::from_secs(self.0.lease_ttl_s.unsigned_abs());
        let instances = Instances::watch(source, lease_ttl);
        watched.insert(service.to_owned(), instances.clone());
        instances
    }

    fn service_prefix(&self, service: &str) -> String {
        format!("{}/{service}/", self.0.prefix)
    }
}
