//! A Redis Cluster of three nodes for one test, which may kill each node and start it again.

use std::{
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tempfile::TempDir;

use crate::{
    Certificates, Process,
    certificates::{redis_cli, redis_server},
    eventually,
    ports::free_port,
    redis::APPEND_ONLY,
};

/// How long the nodes may take to find each other.
const START_LIMIT: Duration = Duration::from_secs(30);
/// As few as a cluster may have.
const NODES: usize = 3;

/// Ended, and its data removed, when the value goes. Each node keeps every write at once, so that a restart loses nothing.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    process: Mutex<Process>,
    port: u16,
    bus: u16,
    tls: Option<Certificates>,
    data: TempDir,
}

impl RedisCluster {
    /// Starts three nodes on free ports, a third of the keys each; answers when this returns.
    pub async fn start() -> Self {
        Self::start_on(None).await
    }

    /// As [`RedisCluster::start`]; speaks TLS alone, also among its nodes.
    pub async fn start_with_tls(certificates: &Certificates) -> Self {
        Self::start_on(Some(certificates)).await
    }

    async fn start_on(tls: Option<&Certificates>) -> Self {
        let nodes = (0..NODES).map(|_| Node::start(tls.cloned())).collect();
        let cluster = Self { nodes };
        for node in &cluster.nodes {
            let what = format!("Redis on port {}", node.port);
            eventually(START_LIMIT, &what, async || {
                (node.cli(&["PING"])? == "PONG").then_some(())
            })
            .await;
        }
        let addresses = cluster
            .nodes
            .iter()
            .map(|node| format!("127.0.0.1:{}", node.port));
        let output = Command::new("redis-cli")
            .args(redis_cli(tls))
            .args(["--cluster", "create"])
            .args(addresses)
            .arg("--cluster-yes")
            .output()
            .expect("run redis-cli");
        assert!(
            output.status.success(),
            "redis-cli --cluster create: {output:?}"
        );
        cluster.until_whole().await;
        cluster
    }

    /// `redis-cluster://127.0.0.1:<port>?node=…`, or `rediss-cluster://…`; stays the same over restarts.
    pub fn url(&self) -> String {
        let mut nodes = self
            .nodes
            .iter()
            .map(|node| format!("127.0.0.1:{}", node.port));
        let first = nodes.next().expect("a node");
        let others: Vec<_> = nodes.map(|node| format!("node={node}")).collect();
        let by_tls = self.nodes.iter().any(|node| node.tls.is_some());
        let scheme = if by_tls {
            "rediss-cluster"
        } else {
            "redis-cluster"
        };
        format!("{scheme}://{first}?{}", others.join("&"))
    }

    /// How many nodes it has.
    pub fn size(&self) -> usize {
        self.nodes.len()
    }

    /// SIGKILL to node number `n`, from 0.
    pub fn kill(&self, n: usize) {
        self.nodes[n].process().kill9();
    }

    /// Brings node number `n` back with its data; kills it first if it runs. The cluster is whole when this returns.
    pub async fn restart(&self, n: usize) {
        let node = &self.nodes[n];
        node.process().kill9();
        *node.process() = spawn(node.port, node.bus, node.tls.as_ref(), &node.data);
        self.until_whole().await;
    }

    /// As [`restart`](Self::restart), but the keys it held are gone.
    pub async fn restart_empty(&self, n: usize) {
        self.nodes[n].process().kill9();
        std::fs::remove_dir_all(self.nodes[n].data.path().join(FILES)).expect("remove its data");
        self.restart(n).await;
    }

    /// Empties all nodes.
    pub fn flush(&self) {
        for node in &self.nodes {
            node.cli(&["FLUSHALL"]).expect("an empty node");
        }
    }

    /// How many keys each node holds.
    pub fn sizes(&self) -> Vec<usize> {
        let size = |node: &Node| node.cli(&["DBSIZE"])?.parse().ok();
        self.nodes
            .iter()
            .map(|node| size(node).expect("a size"))
            .collect()
    }

    async fn until_whole(&self) {
        for node in &self.nodes {
            let what = format!("the cluster as the node on port {} sees it", node.port);
            eventually(START_LIMIT, &what, async || {
                let info = node.cli(&["CLUSTER", "INFO"])?;
                info.contains("cluster_state:ok").then_some(())
            })
            .await;
        }
    }
}

impl Node {
    fn start(tls: Option<Certificates>) -> Self {
        let data = tempfile::tempdir().expect("a directory for Redis");
        let (port, bus) = (free_port(), free_port());
        Self {
            process: Mutex::new(spawn(port, bus, tls.as_ref(), &data)),
            port,
            bus,
            tls,
            data,
        }
    }

    /// What `redis-cli` prints; none for an error.
    fn cli(&self, command: &[&str]) -> Option<String> {
        let output = Command::new("timeout")
            .args(["5", "redis-cli", "-e", "-h", "127.0.0.1"])
            .args(redis_cli(self.tls.as_ref()))
            .args(["-p", &self.port.to_string()])
            .args(command)
            .output()
            .expect("run redis-cli");
        let answer = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(answer)
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The directory of the append-only files.
const FILES: &str = "appendonlydir";

fn spawn(port: u16, bus: u16, tls: Option<&Certificates>, data: &TempDir) -> Process {
    let mut command = Command::new("redis-server");
    command
        .args(["--bind", "127.0.0.1", "--daemonize", "no", "--save", ""])
        .args(redis_server(port, tls))
        .args([
            "--cluster-enabled",
            "yes",
            "--cluster-port",
            &bus.to_string(),
        ])
        // A node that is away is noticed within a second.
        .args(["--cluster-node-timeout", "1000"])
        .args(APPEND_ONLY)
        .args(["--appenddirname", FILES])
        .arg("--dir")
        .arg(data.path());
    Process::spawn("redis-node", command)
}
