//! A TCP listener that can be closed while its server goes on answering on the connections it has.

use std::{fmt, future::pending, io, net::SocketAddr, time::Duration};

use futures::{FutureExt as _, future::BoxFuture};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
};
use volo::net::{
    conn::Conn,
    incoming::{Incoming, MakeIncoming},
};

/// After a connection that couldn't be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Connections that may wait to be accepted: a burst, as long as it takes to get to them.
const BACKLOG: u32 = 1024;

/// Accepts connections for a volo server until its [`Closer`] closes it.
pub struct Listener {
    /// None once closed: then the system refuses connections, and callers turn to another instance.
    socket: Option<TcpListener>,
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
            socket: Some(socket),
            address,
            closed,
        };
        Ok((listener, Closer(close)))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next connection; none once closed.
    async fn next(&mut self) -> Option<TcpStream> {
        loop {
            let socket = self.socket.as_ref()?;
            let closed = async {
                // Without a closer it stays open.
                if self.closed.wait_for(|closed| *closed).await.is_err() {
                    pending::<()>().await;
                }
            };
            let accepted = tokio::select! {
                () = closed => match socket.accept().now_or_never() {
                    // Whoever waits in the queue already would be cut off by the close.
                    Some(accepted) => accepted,
                    None => break,
                },
                accepted = socket.accept() => accepted,
            };
            match accepted.and_then(|(stream, _)| stream.set_nodelay(true).map(|()| stream)) {
                Ok(stream) => return Some(stream),
                // A caller that left already, or no file descriptor for now: no reason to stop serving.
                Err(error) => {
                    tracing::warn!(%error, "connection not accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        self.socket = None;
        None
    }
}

impl Closer {
    /// Accepts nothing from now on.
    pub fn close(&self) {
        let _ = self.0.send(true);
    }

    /// For the `register_shutdown_hook` of a volo server.
    pub fn hook(self) -> impl FnOnce() -> BoxFuture<'static, ()> + Send + 'static {
        move || Box::pin(async move { self.close() })
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address)
    }
}

impl Incoming for Listener {
    async fn accept(&mut self) -> io::Result<Option<Conn>> {
        Ok(self.next().await.map(Conn::from))
    }
}

impl MakeIncoming for Listener {
    type Incoming = Self;

    async fn make_incoming(self) -> io::Result<Self> {
        Ok(self)
    }
}
