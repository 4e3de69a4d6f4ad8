//! A listening address that nobody should connect to. It counts the connections.

use std::net::{SocketAddr, TcpListener};

/// Listens, and counts who came. A visitor gets no answer.
#[derive(Debug)]
pub struct Tripwire {
    listener: TcpListener,
    address: SocketAddr,
}

impl Tripwire {
    /// Listens on a free port of the loopback interface.
    pub fn set() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind a tripwire");
        listener
            .set_nonblocking(true)
            .expect("a non-blocking tripwire");
        let address = listener.local_addr().expect("the tripwire's address");
        Self { listener, address }
    }

    /// Its host and port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// An http URL on it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    /// Connections since the last look. The kernel takes them in without our help.
    pub fn visits(&self) -> usize {
        std::iter::from_fn(|| self.listener.accept().ok()).count()
    }
}
