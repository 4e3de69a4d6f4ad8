//! The errors of the registry.

use std::error::Error as _;

/// Why the registry can't serve.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// etcd refused or can't be reached.
    #[error("etcd: {}", chain(.0))]
    Etcd(#[from] etcd_client::Error),
    /// etcd didn't answer in time.
    #[error("etcd: no answer in time")]
    Timeout(#[from] tokio::time::error::Elapsed),
    /// The list of a service wasn't read yet: etcd has been away since this process started.
    #[error("the instances of {0} are not known yet")]
    Unknown(String),
    /// No instance is registered.
    #[error("no instance of {0}")]
    Empty(String),
    /// The root certificates can't be used.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
}

/// An error with its causes, each once. gRPC's own message tells only that there was an error.
fn chain(error: &etcd_client::Error) -> String {
    let (mut text, mut cause) = match error {
        etcd_client::Error::GRpcStatus(status) => {
            let text = format!("{}: {}", status.code(), status.message());
            (text, status.source())
        }
        etcd_client::Error::TransportError(error) => (error.to_string(), error.source()),
        error => (error.to_string(), None),
    };
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    tls::explain(&text)
}
