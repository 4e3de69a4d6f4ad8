//! A TCP listener that can be closed while its server still answers on open connections.

use std::{fmt, future::pending, io, net::SocketAddr, time::Duration};

use futures::FutureExt as _;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
};

/// Pause after an accept that failed.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;

/// Accepts connections until its [`Closer`] closes it. After the drop the system refuses connections, and callers use another instance.
pub(crate) struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    closed: watch::Receiver<bool>,
}

/// Closes a [`Listener`].
#[derive(Clone)]
pub(crate) struct Closer(watch::Sender<bool>);

impl Listener {
    /// Binds `address`; port 0 takes a free port. Several processes of this user may bind a `shared` port, and the system spreads the
    /// connections over them: so one process can be replaced while another accepts.
    ///
    /// # Errors
    /// The address is in use or isn't of this machine.
    pub(crate) fn bind(address: SocketAddr, shared: bool) -> io::Result<(Self, Closer)> {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        // A port whose last connections are still in TIME_WAIT is free.
        socket.set_reuseaddr(true)?;
        if shared {
            socket.set_reuseport(true)?;
        }
        socket.bind(address)?;
        let socket = socket.listen(BACKLOG)?;
        let address = socket.local_addr()?;
        let (close, closed) = watch::channel(false);
        let listener = Self {
            socket,
            address,
            closed,
        };
        Ok((listener, Closer(close)))
    }

    /// The bound address.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next connection and its peer; `None` once closed.
    pub(super) async fn next(&mut self) -> Option<(TcpStream, SocketAddr)> {
        let mut trouble = false;
        loop {
            let accepted = tokio::select! {
                () = closed(&mut self.closed) => match self.socket.accept().now_or_never() {
                    // Connections that already wait in the queue are still accepted; closing would reset them.
                    Some(accepted) => accepted,
                    None => return None,
                },
                accepted = self.socket.accept() => accepted,
            };
            match accepted
                .and_then(|(stream, peer)| stream.set_nodelay(true).map(|()| (stream, peer)))
            {
                Ok(connection) => return Some(connection),
                // The caller has left, or there is no file descriptor at the moment: go on, and log it once.
                Err(error) => {
                    if !trouble {
                        tracing::warn!(%error, "connection not accepted");
                    }
                    trouble = true;
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    /// Resolves when the listener is closed.
    pub(super) async fn closed(&mut self) {
        closed(&mut self.closed).await;
    }
}

/// Without a closer it stays open.
async fn closed(closed: &mut watch::Receiver<bool>) {
    if closed.wait_for(|closed| *closed).await.is_err() {
        pending::<()>().await;
    }
}

impl Closer {
    /// Closes the listener.
    pub(crate) fn close(&self) {
        let _ = self.0.send(true);
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address)
    }
}
