//! An etcd cluster of three members for one test, which may partition one member from the others.
//!
//! The members reach each other through proxies. A proxy knows the sender by the header in which etcd sends its id. Clients still reach all
//! three.

use std::{net::SocketAddr, process::Command, time::Duration};

use etcd_client::Client;
use tempfile::TempDir;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::AbortHandle,
};

use crate::{
    Process, eventually,
    ports::{ATTEMPTS, free_port},
};

const MEMBERS: usize = 3;
/// How long the members may take to elect a leader after their start.
const START_LIMIT: Duration = Duration::from_secs(20);
/// In which a member tells its id to another.
const FROM: &str = "X-Server-From: ";
/// Longest head of a request that is looked at.
const MAX_HEAD: usize = 4096;

/// Ended, and its data removed, when the value goes.
#[derive(Debug)]
pub struct EtcdCluster {
    members: Vec<Member>,
    /// Who is cut off: its index and its id, as etcd writes it.
    cut: watch::Sender<Option<(usize, String)>>,
}

#[derive(Debug)]
struct Member {
    _process: Process,
    client_port: u16,
    proxy: AbortHandle,
    _data: TempDir,
}

impl Drop for Member {
    fn drop(&mut self) {
        self.proxy.abort();
    }
}

impl EtcdCluster {
    /// Starts on free ports; answers when this returns.
    pub async fn start() -> Self {
        for _ in 0..ATTEMPTS {
            let cluster = Self::spawn().await;
            if cluster.answers().await {
                return cluster;
            }
        }
        panic!("three members of etcd did not start on {ATTEMPTS} sets of ports");
    }

    /// Of each member.
    pub fn endpoints(&self) -> Vec<String> {
        let endpoint = |member: &Member| format!("http://127.0.0.1:{}", member.client_port);
        self.members.iter().map(endpoint).collect()
    }

    /// Cuts a member off from the others, which go on without it. What it had open to them is closed.
    pub async fn cut_off(&self, member: usize) {
        let mut client = Client::connect(self.endpoints(), None).await.expect("etcd");
        let known = client.member_list().await.expect("the members");
        let found = known
            .members()
            .iter()
            .find(|known| known.name() == name(member));
        let id = format!("{:x}", found.expect("the member").id());
        self.cut.send_replace(Some((member, id)));
    }

    async fn spawn() -> Self {
        let cut = watch::Sender::new(None);
        let mut listeners = Vec::new();
        for _ in 0..MEMBERS {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            listeners.push(listener);
        }
        let peers: Vec<String> = listeners
            .iter()
            .enumerate()
            .map(|(index, listener)| {
                let address = listener.local_addr().expect("the port");
                format!("{}=http://{address}", name(index))
            })
            .collect();
        let all = peers.join(",");
        let mut members = Vec::new();
        for (index, listener) in listeners.into_iter().enumerate() {
            let data = tempfile::tempdir().expect("a directory for etcd");
            let (client_port, peer_port) = (free_port(), free_port());
            let advertised = listener.local_addr().expect("the port");
            let client = format!("http://127.0.0.1:{client_port}");
            let mut command = Command::new("etcd");
            command
                .args(["--name", &name(index), "--logger", "zap"])
                .arg("--data-dir")
                .arg(data.path().join("data"))
                .args(["--listen-client-urls", &client])
                .args(["--advertise-client-urls", &client])
                .arg("--listen-peer-urls")
                .arg(format!("http://127.0.0.1:{peer_port}"))
                .arg("--initial-advertise-peer-urls")
                .arg(format!("http://{advertised}"))
                .args(["--initial-cluster", &all]);
            let target = SocketAddr::from(([127, 0, 0, 1], peer_port));
            members.push(Member {
                _process: Process::spawn("etcd", command),
                client_port,
                proxy: tokio::spawn(run_proxy(listener, index, target, cut.subscribe()))
                    .abort_handle(),
                _data: data,
            });
        }
        Self { members, cut }
    }

    /// Whether all take writes.
    async fn answers(&self) -> bool {
        let all = async {
            for endpoint in self.endpoints() {
                eventually(2 * START_LIMIT, "a member of etcd", async || {
                    let mut client = Client::connect([&endpoint], None).await.ok()?;
                    let put = client.put("started", endpoint.as_str(), None);
                    tokio::time::timeout(Duration::from_secs(1), put)
                        .await
                        .ok()?
                        .ok()
                })
                .await;
            }
        };
        tokio::time::timeout(START_LIMIT, all).await.is_ok()
    }
}

fn name(index: usize) -> String {
    format!("member{index}")
}

type Cut = watch::Receiver<Option<(usize, String)>>;

async fn run_proxy(listener: TcpListener, index: usize, target: SocketAddr, cut: Cut) {
    while let Ok((stream, _)) = listener.accept().await {
        let mut changes = cut.clone();
        tokio::spawn(async move {
            let now = changes.borrow_and_update().clone();
            tokio::select! {
                () = pass(stream, index, target, now) => {}
                // Whoever may come again does.
                _ = changes.changed() => {}
            }
        });
    }
}

async fn pass(mut from: TcpStream, index: usize, target: SocketAddr, cut: Option<(usize, String)>) {
    if let Some((cut, id)) = cut {
        let is_let_in = cut != index && sender(&from).await.is_some_and(|from| from != id);
        if !is_let_in {
            return;
        }
    }
    if let Ok(mut to) = TcpStream::connect(target).await {
        // Ends when either side does.
        let _ = copy_bidirectional(&mut from, &mut to).await;
    }
}

/// The id of the member that begins this connection. None: it doesn't tell.
async fn sender(stream: &TcpStream) -> Option<String> {
    let mut head = [0; MAX_HEAD];
    loop {
        let seen = stream.peek(&mut head).await.ok()?;
        let text = String::from_utf8_lossy(head.get(..seen)?);
        if text.contains("\r\n\r\n") {
            let line = text.lines().find_map(|line| line.strip_prefix(FROM))?;
            return Some(line.to_owned());
        }
        if seen == 0 || seen == MAX_HEAD {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
