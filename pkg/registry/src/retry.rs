//! Calls to etcd: a deadline for each ([`within`]), and a growing wait between attempts ([`Backoff`]).

use std::time::Duration;

use rand::Rng as _;

use crate::RegistryError;

/// How long one call to etcd may take.
pub(crate) const CALL_TIMEOUT: Duration = Duration::from_secs(2);
/// The wait after a failure: it doubles each time, up to the maximum. A registration is late by the maximum at most when etcd is back.
const MIN_BACKOFF: Duration = Duration::from_millis(100);
pub(crate) const MAX_BACKOFF: Duration = Duration::from_secs(1);

/// Exponential backoff with jitter.
pub(crate) struct Backoff(Duration);

impl Backoff {
    pub(crate) fn new() -> Self {
        Self(MIN_BACKOFF)
    }

    pub(crate) async fn wait(&mut self) {
        let jitter = rand::rng().random_range(0.5..1.0);
        tokio::time::sleep(self.0.mul_f64(jitter)).await;
        self.0 = (self.0 * 2).min(MAX_BACKOFF);
    }
}

/// Runs a call to etcd with the deadline that all calls have.
pub(crate) async fn within<T>(
    call: impl Future<Output = Result<T, etcd_client::Error>>,
) -> Result<T, RegistryError> {
    Ok(tokio::time::timeout(CALL_TIMEOUT, call).await??)
}
