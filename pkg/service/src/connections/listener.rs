//! A TCP listener that can be closed while its server goes on answering on the connections it has.

use std::{fmt, future::pending, io, net::SocketAddr, time::Duration};

use futures::FutureExt as _;
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
};

/// After a connection that couldn't be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Connections that may wait to be accepted: a burst, as long as it takes to get to them.
const BACKLOG: u32 = 1024;

/// Accepts connections until its [`Closer`] closes it. Dropped, it has the system refuse connections, and callers turn to another
/// instance.
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    closed: watch::Receiver<bool>,
}

/// Closes a [`Listener`].
#[derive(Clone)]
pub struct Closer(watch::Sender<bool>);

impl Listener {
    /// Binds `address`; port 0 takes a free one. A `shared` port may be bound by several processes of this user, among
    /// which the system spreads the connections: so one can be renewed while another accepts.
    ///
    /// # Errors
    /// The address is in use or isn't of this machine.
    pub fn bind(address: SocketAddr, shared: bool) -> io::Result<(Self, Closer)> {
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

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next connection and where it comes from; none once closed.
    pub(super) async fn next(&mut self) -> Option<(TcpStream, SocketAddr)> {
        let mut trouble = false;
        loop {
            let accepted = tokio::select! {
                () = closed(&mut self.closed) => match self.socket.accept().now_or_never() {
                    // Whoever waits in the queue already would be cut off by the close.
                    Some(accepted) => accepted,
                    None => return None,
                },
                accepted = self.socket.accept() => accepted,
            };
            match accepted
                .and_then(|(stream, peer)| stream.set_nodelay(true).map(|()| (stream, peer)))
            {
                Ok(connection) => return Some(connection),
                // A caller that left already, or no file descriptor for now: no reason to stop serving, nor to say it again
                // and again.
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

    /// Ends when it is to accept nothing any more.
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
    /// Accepts nothing from now on.
    pub fn close(&self) {
        let _ = self.0.send(true);
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address)
    }
}
