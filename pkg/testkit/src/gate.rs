//! A way to a server that a test can shut or slow down: for it alone the server is away or far, while other tests go on using it.

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
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy},
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
    task::AbortHandle,
    time::Instant,
};

/// What is read at once of an answer that comes late, in bytes.
const CHUNK: usize = 16 << 10;
/// Chunks on their way to a client at most.
const ON_THEIR_WAY: usize = 1 << 10;

/// Passes connections on to a server for as long as it is open. Ended with its connections when the value goes.
#[derive(Debug)]
pub struct Gate {
    address: SocketAddr,
    state: watch::Sender<State>,
    delay_ms: Arc<AtomicU64>,
    task: AbortHandle,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Shut,
    Stalled,
}

impl Gate {
    /// An open gate to the server at `target` ("127.0.0.1:3306").
    pub async fn to(target: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("the port");
        let state = watch::Sender::new(State::Open);
        let (target, states) = (target.to_owned(), state.subscribe());
        let delay_ms = Arc::new(AtomicU64::new(0));
        let delay = delay_ms.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(pass(stream, target.clone(), states.clone(), delay.clone()));
            }
        });
        Self {
            address,
            state,
            delay_ms,
            task: task.abort_handle(),
        }
    }

    /// Where its clients connect to.
    pub fn address(&self) -> SocketAddr {
        self.address
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
        let delay_ms = u64::try_from(delay.as_millis()).expect("a short time");
        self.delay_ms.store(delay_ms, Ordering::Relaxed);
    }

    /// Lets everybody through again; what hung is closed.
    pub fn open(&self) {
        self.state.send_replace(State::Open);
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A connection lives as long as the gate is as it was when it came; except that a stall holds it, too.
async fn pass(
    mut client: TcpStream,
    target: String,
    mut states: watch::Receiver<State>,
    delay_ms: Arc<AtomicU64>,
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
            _ = both_ways(&mut client, &mut server, &delay_ms) => return,
            changed = states.changed() => {
                if changed.is_err() || *states.borrow_and_update() == State::Shut {
                    return;
                }
            }
        }
    }
    // Until it is something else; an error means that the gate is gone.
    let _ = states.changed().await;
}

/// Until both have said all, or one breaks.
async fn both_ways(
    client: &mut TcpStream,
    server: &mut TcpStream,
    delay_ms: &AtomicU64,
) -> io::Result<()> {
    // What is passed on in pieces must not wait for acknowledgements.
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let (mut from_client, to_client) = client.split();
    let (from_server, mut to_server) = server.split();
    let there = async {
        copy(&mut from_client, &mut to_server).await?;
        to_server.shutdown().await
    };
    tokio::try_join!(there, copy_late(from_server, to_client, delay_ms))?;
    Ok(())
}

/// Delays what comes, not how much comes.
async fn copy_late(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    delay_ms: &AtomicU64,
) -> io::Result<()> {
    let (sender, mut chunks) = mpsc::channel::<(Instant, Vec<u8>)>(ON_THEIR_WAY);
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
