//! Range checks of the settings `[http]` and `[rpc]`.

use super::Check;
use crate::Settings;

/// Shortest secret of the calls between our processes, in bytes: nobody guesses as many random ones.
const MIN_RPC_SECRET_BYTES: usize = 32;

impl Settings {
    pub(super) fn network_checks(&self) -> Vec<Check> {
        let connections = 1..=1_000_000;
        vec![
            (
                connections.contains(&self.http.max_connections),
                "http.max_connections",
                "must be 1 to 1000000",
            ),
            (
                connections.contains(&self.rpc.max_connections),
                "rpc.max_connections",
                "must be 1 to 1000000",
            ),
            (
                self.http.max_connections_per_address <= self.http.max_connections,
                "http.max_connections_per_address",
                "must be 1 to http.max_connections, or 0",
            ),
            (
                (1..=3600).contains(&self.http.admission_timeout_s),
                "http.admission_timeout_s",
                "must be 1 to 3600",
            ),
            (
                (1..=1 << 30).contains(&self.http.min_body_rate),
                "http.min_body_rate",
                "must be 1 to 1073741824",
            ),
            (
                (1..=3600).contains(&self.http.min_body_rate_after_s),
                "http.min_body_rate_after_s",
                "must be 1 to 3600",
            ),
            (
                self.http.request_timeout_ms > 0,
                "http.request_timeout_ms",
                "must be above 0",
            ),
            (
                self.http.cors_origins.iter().all(|one| is_origin(one)),
                "http.cors_origins",
                "each must be as a browser sends it: http(s)://host[:port] in lower case, no path, no default port",
            ),
            (
                self.rpc_secrets()
                    .iter()
                    .all(|secret| secret.expose().len() >= MIN_RPC_SECRET_BYTES),
                "rpc.secret",
                "must have at least 32 bytes; two are written \"new,old\"",
            ),
            (
                self.rpc.connect_timeout_ms > 0,
                "rpc.connect_timeout_ms",
                "must be above 0",
            ),
            (
                self.rpc.retry_percent <= 100,
                "rpc.retry_percent",
                "must be 0 to 100",
            ),
            (
                self.rpc.retry_burst <= 1_000_000,
                "rpc.retry_burst",
                "must be 0 to 1000000",
            ),
        ]
    }
}

/// Whether a browser would send this as an `Origin` (RFC 6454, section 6.2).
fn is_origin(text: &str) -> bool {
    let (host, default_port) = match text.split_once("://") {
        Some(("https", host)) => (host, ":443"),
        Some(("http", host)) => (host, ":80"),
        _ => return false,
    };
    let known =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.:[]".contains(&byte);
    !host.is_empty() && !host.ends_with(default_port) && host.bytes().all(known)
}
