//! A TCP proxy before a server: a test can cut it off, delay it or slow it down, while other tests use the server directly.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{mpsc, watch},
    task::AbortHandle,
    time::Instant,
};

/// What is read at once of an answer that comes late, in bytes.
const CHUNK: usize = 16 << 10;
/// Chunks on their way to a client at most.
const MAX_CHUNKS_IN_FLIGHT: usize = 1 << 10;
/// What a slow link holds of what its clients send, in bytes: without a bound the system takes megabytes at once.
const LINK_BUFFER: u32 = 64 << 10;
/// By how much a link that was kept from working may be late without slowing down.
const SLACK: Duration = Duration::from_millis(100);
/// Connections that may wait to be accepted.
const BACKLOG: u32 = 128;

/// Passes connections on to a server for as long as it is open. Ended with its connections when the value goes.
#[derive(Debug)]
pub struct TcpProxy {
    address: SocketAddr,
    target: watch::Sender<String>,
    state: watch::Sender<State>,
    delay_ms: Arc<AtomicU64>,
    requests_delay_ms: Arc<AtomicU64>,
    task: AbortHandle,
}

/// What a connection through the proxy is like.
#[derive(Debug, Clone)]
struct Shaping {
    delay_ms: Arc<AtomicU64>,
    requests_delay_ms: Arc<AtomicU64>,
    bytes_per_s: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Shut,
    Stalled,
}

impl TcpProxy {
    /// An open proxy to the server at `target` ("127.0.0.1:3306").
    pub async fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        Self::with_listener(listener, target, None)
    }

    /// An open proxy that takes so many bytes a second of what a client sends on a connection, as a slow link does.
    pub async fn slow(target: &str, bytes_per_s: u32) -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket
            .set_recv_buffer_size(LINK_BUFFER)
            .expect("a small buffer");
        let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
        socket.bind(any_port).expect("a free port");
        let listener = socket.listen(BACKLOG).expect("a listener");
        Self::with_listener(listener, target, Some(bytes_per_s))
    }

    fn with_listener(listener: TcpListener, target: &str, bytes_per_s: Option<u32>) -> Self {
        let address = listener.local_addr().expect("the port");
        let state = watch::Sender::new(State::Open);
        let target = watch::Sender::new(target.to_owned());
        let (targets, states) = (target.subscribe(), state.subscribe());
        let delay_ms = Arc::new(AtomicU64::new(0));
        let requests_delay_ms = Arc::new(AtomicU64::new(0));
        let shaping = Shaping {
            delay_ms: delay_ms.clone(),
            requests_delay_ms: requests_delay_ms.clone(),
            bytes_per_s,
        };
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let target = targets.borrow().clone();
                tokio::spawn(pass(stream, target, states.clone(), shaping.clone()));
            }
        });
        Self {
            address,
            target,
            state,
            delay_ms,
            requests_delay_ms,
            task: task.abort_handle(),
        }
    }

    /// Where its clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on new connections go to another server; those that are open stay where they are.
    pub fn set_target(&self, target: &str) {
        self.target.send_replace(target.to_owned());
    }

    /// Closes all connections, and each new one at once.
    pub fn shut(&self) {
        self.state.send_replace(State::Shut);
    }

    /// Takes connections, moves nothing: the server hangs.
    pub fn stall(&self) {
        self.state.send_replace(State::Stalled);
    }

    /// From now on every answer comes so much later, as from a server that is far away; zero ends it. Connections stay.
    pub fn delay(&self, delay: Duration) {
        set(&self.delay_ms, delay);
    }

    /// The same for what clients send, and for the end of what they send: a request arrives when its client has given it up.
    pub fn delay_requests(&self, delay: Duration) {
        set(&self.requests_delay_ms, delay);
    }

    /// Lets everybody through again; what hung is closed.
    pub fn open(&self) {
        self.state.send_replace(State::Open);
    }
}

fn set(milliseconds: &AtomicU64, delay: Duration) {
    let delay_ms = u64::try_from(delay.as_millis()).expect("a short time");
    milliseconds.store(delay_ms, Ordering::Relaxed);
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Forwards one connection. It ends when the state of the proxy changes. A stall doesn't close it; the next change does.
async fn pass(
    mut client: TcpStream,
    target: String,
    mut states: watch::Receiver<State>,
    shaping: Shaping,
) {
    let found = *states.borrow_and_update();
    if found == State::Shut {
        return;
    }
    if found == State::Open {
        let Ok(mut server) = TcpStream::connect(target).await else {
            return;
        };
        tokio::select! {
            _ = copy_bidirectional(&mut client, &mut server, &shaping) => return,
            changed = states.changed() => {
                if changed.is_err() || *states.borrow_and_update() == State::Shut {
                    return;
                }
            }
        }
    }
    // Until it is something else; an error means that the proxy is gone.
    let _ = states.changed().await;
}

/// Copies both directions until both ends have closed, or one fails.
async fn copy_bidirectional(
    client: &mut TcpStream,
    server: &mut TcpStream,
    shaping: &Shaping,
) -> io::Result<()> {
    // What is passed on in pieces must not wait for acknowledgements.
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from_client, to_client) = client.split();
    let (from_server, mut to_server) = server.split();
    let there = async {
        match shaping.bytes_per_s {
            Some(rate) => {
                copy_throttled(&mut from_client, &mut to_server, rate).await?;
                to_server.shutdown().await
            }
            None => copy_delayed(from_client, to_server, &shaping.requests_delay_ms).await,
        }
    };
    tokio::try_join!(
        there,
        copy_delayed(from_server, to_client, &shaping.delay_ms)
    )?;
    Ok(())
}

/// Takes no more than so many bytes a second.
async fn copy_throttled(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    bytes_per_s: u32,
) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    let mut due = Instant::now();
    loop {
        let length = from.read(&mut chunk).await?;
        if length == 0 {
            return Ok(());
        }
        to.write_all(&chunk[..length]).await?;
        // A client that paused doesn't catch up.
        due = due.max(Instant::now() - SLACK);
        due += Duration::from_secs_f64(length as f64 / f64::from(bytes_per_s));
        tokio::time::sleep_until(due).await;
    }
}

/// Delays what comes, not how much comes.
async fn copy_delayed(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    delay_ms: &AtomicU64,
) -> io::Result<()> {
    let (sender, mut chunks) = mpsc::channel::<(Instant, Vec<u8>)>(MAX_CHUNKS_IN_FLIGHT);
    let read = async move {
        loop {
            let mut chunk = vec![0; CHUNK];
            let length = from.read(&mut chunk).await?;
            chunk.truncate(length);
            let delay = Duration::from_millis(delay_ms.load(Ordering::Relaxed));
            let is_end = chunk.is_empty();
            if is_end || sender.send((Instant::now() + delay, chunk)).await.is_err() {
                return Ok(());
            }
        }
    };
    let write = async {
        while let Some((due, chunk)) = chunks.recv().await {
            if due > Instant::now() {
                tokio::time::sleep_until(due).await;
            }
            to.write_all(&chunk).await?;
        }
        to.shutdown().await
    };
    tokio::try_join!(read, write)?;
    Ok(())
}
