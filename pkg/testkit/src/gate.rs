//! A way to a server that a test can shut: for it alone the server is away, while other tests go on using it.

use std::net::SocketAddr;

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::AbortHandle,
};

/// Passes connections on to a server for as long as it is open. Ended with its connections when the value goes.
#[derive(Debug)]
pub struct Gate {
    address: SocketAddr,
    state: watch::Sender<State>,
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
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(pass(stream, target.clone(), states.clone()));
            }
        });
        Self {
            address,
            state,
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
async fn pass(mut client: TcpStream, target: String, mut states: watch::Receiver<State>) {
    let found = *states.borrow_and_update();
    if found == State::Shut {
        return;
    }
    if found == State::Open {
        let Ok(mut server) = TcpStream::connect(target).await else {
            return;
        };
        tokio::select! {
            _ = copy_bidirectional(&mut client, &mut server) => return,
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
