//! Keeps the registration of this process in etcd: one key under a lease that is renewed.

use std::time::Duration;

use etcd_client::{Client, Error, GetOptions, PutOptions};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    RegistryError,
    login::log_in_again,
    retry::{Backoff, within},
};

/// The lease is renewed this often while it lives.
const RENEWALS_PER_TTL: u32 = 3;

/// The registration of a process. Use [`deregister`](Self::deregister) to leave at once; after a mere drop the lease runs out.
pub struct Registration {
    task: JoinHandle<()>,
    leave: watch::Sender<bool>,
    registered: watch::Receiver<bool>,
}

impl Registration {
    pub(crate) fn start(client: Client, key: String, value: String, ttl_s: i64) -> Self {
        let (leave, mut left) = watch::channel(false);
        let (state, registered) = watch::channel(false);
        let mut keeper = Keeper {
            client,
            key,
            value,
            ttl_s,
            lease: None,
            state,
        };
        let task = vital::spawn("registration in etcd", async move {
            tokio::select! {
                () = keeper.keep() => {}
                // An error means that the registration was dropped, whose Drop ends this task anyway.
                () = async { drop(left.wait_for(|leave| *leave).await) } => {}
            }
            keeper.revoke().await;
        });
        Self {
            task,
            leave,
            registered,
        }
    }

    /// Whether etcd confirmed the registration at the last renewal.
    pub fn is_registered(&self) -> bool {
        *self.registered.borrow()
    }

    /// Waits until etcd has confirmed the registration.
    pub async fn registered(&mut self) {
        // An error means that the task has ended, so it will never be registered.
        if self.registered.wait_for(|yes| *yes).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Removes the instance from the registry at once by revoking its lease. When etcd can't be reached, the lease runs out by itself.
    pub async fn deregister(mut self) {
        let _ = self.leave.send(true);
        // The task ends within the deadline of its one call; it can't fail but by a panic, which was logged.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Keeper {
    client: Client,
    key: String,
    value: String,
    ttl_s: i64,
    /// The lease of the key. It is known before the key is put, so it can always be revoked.
    lease: Option<i64>,
    state: watch::Sender<bool>,
}

impl Keeper {
    async fn keep(&mut self) {
        let ttl = Duration::from_secs(self.ttl_s.unsigned_abs());
        let mut backoff = Backoff::new();
        loop {
            match self.renew().await {
                Ok(()) => {
                    self.set_state(true);
                    backoff = Backoff::new();
                    tokio::time::sleep(ttl / RENEWALS_PER_TTL).await;
                }
                Err(error) => {
                    tracing::warn!(key = self.key, %error, "registration not renewed");
                    log_in_again(&self.client, &error).await;
                    backoff.wait().await;
                }
            }
        }
    }

    /// Makes sure that the lease is alive and the key attached to it.
    async fn renew(&mut self) -> Result<(), RegistryError> {
        if let Some(lease) = self.lease {
            match within(self.client.lease_client().keep_alive(lease)).await {
                Ok(_) => {}
                // etcd lost the lease, or was away longer than its TTL.
                Err(RegistryError::Etcd(Error::LeaseKeepAliveError(_))) => self.lost(),
                Err(error) => return Err(error),
            }
        }
        let lease = match self.lease {
            Some(lease) => lease,
            None => {
                let mut leases = self.client.lease_client();
                let lease = within(leases.grant(self.ttl_s, None)).await?.id();
                self.lease = Some(lease);
                lease
            }
        };
        let mut kv = self.client.kv_client();
        let options = GetOptions::new().with_keys_only();
        let found = within(kv.get(self.key.as_str(), Some(options))).await?;
        if found.kvs().iter().all(|kv| kv.lease() != lease) {
            let options = PutOptions::new().with_lease(lease);
            within(kv.put(self.key.as_str(), self.value.as_str(), Some(options))).await?;
        }
        Ok(())
    }

    fn lost(&mut self) {
        tracing::warn!(key = self.key, "lease lost, registering again");
        self.lease = None;
        self.set_state(false);
    }

    async fn revoke(&mut self) {
        self.set_state(false);
        let Some(lease) = self.lease else { return };
        if let Err(error) = within(self.client.lease_client().revoke(lease)).await {
            tracing::warn!(key = self.key, %error, "registration not revoked, it will run out");
        }
    }

    fn set_state(&self, registered: bool) {
        let changed = self.state.send_if_modified(|state| {
            let changed = *state != registered;
            *state = registered;
            changed
        });
        telemetry::metrics::registry_registered(registered);
        if changed && registered {
            tracing::info!(key = self.key, "registered");
        }
    }
}
