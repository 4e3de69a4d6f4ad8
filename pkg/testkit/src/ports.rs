//! Free ports for servers that a test stops and starts again.

use std::{
    collections::BTreeSet,
    net::TcpListener,
    sync::{Mutex, PoisonError},
};

/// Other test runs take ports at the same time: so often a start is repeated on other ports.
pub(crate) const ATTEMPTS: usize = 5;
/// Below the kernel's range for outgoing connections (32768 and above): while a server is down, nobody gets its port by chance.
const PORTS: std::ops::Range<u16> = 20_000..32_000;

/// Handed out in this process. None is handed out twice: another server would take it while its own is down.
static TAKEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port that nobody listens on at the moment; whoever starts a server on it must be ready to try another.
pub fn free_port() -> u16 {
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let port = rand::random_range(PORTS);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() && taken.insert(port) {
            return port;
        }
    }
}
