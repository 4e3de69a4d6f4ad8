//! Free ports for servers that a test stops and starts again.

use std::net::TcpListener;

/// Other test runs take ports at the same time: so often a start is repeated on other ports.
pub(crate) const ATTEMPTS: usize = 5;
/// Below the kernel's range for outgoing connections (32768 and above): while a server is down, nobody gets its port by chance.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// A port that nobody listens on at the moment; whoever starts a server on it must be ready to try another.
pub fn free_port() -> u16 {
    loop {
        let port = rand::random_range(PORTS);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
