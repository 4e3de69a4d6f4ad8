//! Authentication to etcd by user name and password.
//!
//! A token ends after some minutes without use, and when etcd restarts; then the process logs in again.

use etcd_client::{Client, Error};
use settings::Secret;

use crate::{
    RegistryError,
    retry::{Backoff, CALL_TIMEOUT},
};

/// Logs in for the first time and retries until it succeeds. Until then etcd refuses all requests.
pub(crate) async fn log_in(mut client: Client, name: String, password: Secret) {
    let mut backoff = Backoff::new();
    loop {
        let user = (name.clone(), password.expose().to_owned());
        match tokio::time::timeout(CALL_TIMEOUT, client.update_user(Some(user))).await {
            Ok(Ok(())) => return,
            Ok(Err(error)) => {
                tracing::warn!(%error, "not logged in to etcd (etcd.username, etcd.password)");
            }
            Err(_) => tracing::warn!("not logged in to etcd: no answer in time"),
        }
        backoff.wait().await;
    }
}

/// Logs in again if the failure was an invalid token. Single calls do that by themselves; streams don't.
pub(crate) async fn log_in_again(client: &Client, failure: &RegistryError) {
    let refused = matches!(
        failure,
        RegistryError::Etcd(Error::GRpcStatus(status)) if status.message().contains("auth token")
    );
    if refused {
        // If it fails, the next attempt fails too and is logged.
        let _ = tokio::time::timeout(CALL_TIMEOUT, client.refresh_token()).await;
    }
}
