//! Reads `redis.url`: which servers, and whether by TLS. Logs why a connection fails.

use std::{net::IpAddr, sync::Arc};

use fred::{
    clients::Client,
    interfaces::EventInterface as _,
    types::config::{Config, HostMapping, TlsConfig, TlsConnector, TlsHostMapping},
};
use tokio::sync::broadcast::error::RecvError;

use crate::BadUrl;

/// The configuration for `redis.url`. With TLS, the roots of `tls.ca_file` are trusted too.
pub(crate) fn config(redis: &settings::Redis) -> Result<Config, BadUrl> {
    let url = redis.url.expose();
    let by_tls = url.strip_prefix("rediss");
    let plain = by_tls.map(|rest| format!("redis{rest}"));
    let mut config = Config::from_url(plain.as_deref().unwrap_or(url))
        // Only the kind, because the URL may hold a password.
        .map_err(|error| BadUrl(format!("{:?}", error.kind())))?;
    if by_tls.is_some() {
        let client = tls::client_config(redis.ca_file.as_deref());
        let client = client.map_err(|error| BadUrl(error.to_string()))?;
        config.tls = Some(TlsConfig {
            connector: TlsConnector::from(client),
            hostnames: TlsHostMapping::Custom(Arc::new(NodeNames)),
        });
    }
    Ok(config)
}

/// The name that the certificate of a cluster node must have. The cluster announces its nodes by address.
#[derive(Debug)]
struct NodeNames;

impl HostMapping for NodeNames {
    fn map(&self, _: &IpAddr, asked: &str) -> Option<String> {
        // If the URL names a node by address, its certificate is for the address, and so are those of the other nodes.
        asked.parse::<IpAddr>().is_err().then(|| asked.to_owned())
    }
}

/// Logs why there is no connection, and logs the same reason only once in a row.
pub(crate) fn log_failures(database: &'static str, client: &Client) {
    let mut failures = client.error_rx();
    tokio::spawn(async move {
        let mut last = String::new();
        loop {
            match failures.recv().await {
                Ok((error, _)) => {
                    let reason = tls::explain(&error.to_string());
                    if reason != last {
                        tracing::warn!(database, reason, "no connection to Redis");
                        last = reason;
                    }
                }
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
    });
}
