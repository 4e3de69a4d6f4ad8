//! Kills, delays and restarts the servers of this run. `scripts/chaos.sh` starts and stops them.

use std::{path::PathBuf, process::Stdio, time::Duration};

use etcd_client::Client;
use testkit::{Engine, Refusal, environment, eventually};
use tokio::process::Command;

/// How long a killed process may take until it is gone.
const GONE_LIMIT: Duration = Duration::from_secs(5);

/// A server, by its directory. Of several replicas or nodes of Redis it is the first.
#[derive(Debug, Clone, Copy)]
pub enum Server {
    Primary,
    Replica,
    SecondReplica,
    /// Whichever member leads now.
    EtcdLeader,
    Redis,
    Store,
}

impl Server {
    async fn directory(self) -> PathBuf {
        let name = match self {
            Self::Primary => "primary",
            Self::Replica => "replica",
            Self::SecondReplica => "replica-2",
            Self::EtcdLeader => &etcd_leader().await,
            Self::Redis => "redis",
            Self::Store => "s3",
        };
        run_directory().join(name)
    }

    /// SIGKILL; it is gone when this returns.
    pub async fn kill(self) {
        let directory = self.directory().await;
        let pid = std::fs::read_to_string(directory.join("pid")).expect("a pid file");
        let pid = pid.trim().to_owned();
        let is_there = || {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(&*directory.to_string_lossy())
        };
        assert!(is_there(), "process {pid} is not that of {directory:?}");
        run(Command::new("kill").args(["-s", "KILL", &pid])).await;
        eventually(GONE_LIMIT, "the end of a server", async || {
            (!is_there()).then_some(())
        })
        .await;
    }
}

/// The directory of the member that leads; the first is called `etcd`, the second `etcd-2`.
async fn etcd_leader() -> String {
    for (n, endpoint) in environment::etcd().split(',').enumerate() {
        let client = Client::connect([endpoint], None).await;
        let mut client = client.expect("a member of etcd");
        let status = client.status().await.expect("the member's status");
        let id = status.header().map(etcd_client::ResponseHeader::member_id);
        if id == Some(status.leader()) {
            return match n {
                0 => "etcd".to_owned(),
                _ => format!("etcd-{}", n + 1),
            };
        }
    }
    panic!("none of etcd's members leads");
}

/// The primary is gone with all its data.
pub async fn lose_primary() {
    Server::Primary.kill().await;
    let data = Server::Primary.directory().await;
    std::fs::remove_dir_all(data).expect("remove the primary's data");
}

/// A replica takes the primary's place.
pub async fn promote() {
    infra(&["promote"]).await;
}

/// Brings back whatever is away, and waits until replication has caught up.
pub async fn back() {
    infra(&["start"]).await;
}

/// Lets the replicas lag by so much; zero ends it.
pub async fn delay_replica(seconds: u64) {
    infra(&["replica-delay", &seconds.to_string()]).await;
}

/// Lets one of the replicas alone lag by so much.
pub async fn delay(replica: Server, seconds: u64) {
    admin(replica, &Engine::of_tests().delay(seconds)).await;
}

/// The replica goes on receiving, and applies nothing.
pub async fn stop_applying() {
    admin(Server::Replica, Engine::of_tests().stop_applying()).await;
}

/// `to` takes the place of `from`, which lives on, read-only.
pub async fn switch(from: Server, to: Server) {
    admin(from, "SET GLOBAL read_only = 1").await;
    catch_up(from, to).await;
    admin(to, Engine::of_tests().promote()).await;
}

/// What was a primary goes on as a replica of another, and gets what it lacks.
pub async fn follow(replica: Server, primary: Server) {
    let address = address(primary);
    let (_, port) = address.rsplit_once(':').expect("host:port");
    let port = port.parse().expect("a port");
    let sql = Engine::of_tests().follow(port, "repl", "dousheng-repl-dev");
    admin(replica, &sql).await;
    catch_up(primary, replica).await;
}

/// The replica finds its primary at another address from now on, until [`back`].
pub async fn follow_over(replica: Server, address: &str) {
    let (host, port) = address.rsplit_once(':').expect("host:port");
    let sql = Engine::of_tests().follow_over(host, port.parse().expect("a port"));
    admin(replica, &sql).await;
    catch_up(Server::Primary, replica).await;
}

async fn catch_up(primary: Server, replica: Server) {
    let engine = Engine::of_tests();
    let position = admin(primary, &format!("SELECT {}", engine.position())).await;
    let sql = engine.wait(&position, 60);
    assert_eq!(
        admin(replica, &sql).await.trim(),
        "0",
        "{replica:?} did not catch up"
    );
}

/// Host and port.
pub fn address(server: Server) -> String {
    let replicas = environment::replica_urls();
    let url = match server {
        Server::Primary => environment::primary_url(),
        Server::Replica => replicas[0].clone(),
        Server::SecondReplica => replicas[1].clone(),
        _ => panic!("{server:?} is no database server"),
    };
    let (_, place) = url.rsplit_once('@').expect("a URL with an account");
    place.trim_end_matches('/').to_owned()
}

/// How many replicas there are.
pub fn replicas() -> usize {
    environment::replica_urls().len()
}

/// What a statement says, with the admin's account (scripts/lib/mariadb.sh, mysql.sh), which works by the unix socket alone.
async fn admin(server: Server, sql: &str) -> String {
    let account = match Engine::of_tests() {
        Engine::MariaDb => "$(id -un)",
        Engine::MySql(_) => "root",
    };
    let client = format!(
        "cd \"$1\" && exec mariadb --no-defaults --socket=m.sock -u{account} -N -r -e \"$2\""
    );
    let data = server.directory().await.join("data");
    let output = Command::new("sh")
        .args(["-c", &client, "sh"])
        .arg(data)
        .arg(sql)
        .stdin(Stdio::null())
        .output()
        .await
        .expect("a database client");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{server:?}: {sql}: {said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Empties all of Redis, every node of it.
pub async fn flush_redis() {
    for node in redis_nodes() {
        redis(&node, &["FLUSHALL"]).await;
    }
}

/// All of Redis goes on answering reads, and refuses to write.
pub async fn refuse_redis_writes(why: Refusal) {
    for node in redis_nodes() {
        match why {
            Refusal::ReadOnly => redis(&node, &["REPLICAOF", "127.0.0.1", "1"]).await,
            Refusal::NoReplicas => {
                redis(&node, &["CONFIG", "SET", "min-replicas-to-write", "1"]).await;
            }
            Refusal::Unsaved => {
                let ask = format!("redis://{node}");
                let ask = Command::new("redis-cli")
                    .args(["-u", &ask, "CONFIG", "GET", "dir"])
                    .output();
                let answer = ask.await.expect("run redis-cli").stdout;
                let answer = String::from_utf8_lossy(&answer).into_owned();
                let directory = answer.lines().nth(1).expect("Redis's directory");
                // Where the file belongs there is a directory.
                let in_the_way = PathBuf::from(directory).join("dump.rdb");
                std::fs::create_dir_all(in_the_way).expect("a directory in the way");
                redis(
                    &node,
                    &["CONFIG", "SET", "stop-writes-on-bgsave-error", "yes"],
                )
                .await;
                redis(&node, &["CONFIG", "SET", "save", "3600 1"]).await;
                redis(&node, &["BGSAVE"]).await;
            }
        }
    }
}

/// Ends that, whyever it did.
pub async fn accept_redis_writes() {
    let nodes = redis_nodes();
    for node in &nodes {
        if nodes.len() == 1 {
            redis(node, &["REPLICAOF", "NO", "ONE"]).await;
        }
        for (name, value) in [
            ("min-replicas-to-write", "0"),
            ("stop-writes-on-bgsave-error", "no"),
            ("save", ""),
        ] {
            redis(node, &["CONFIG", "SET", name, value]).await;
        }
    }
}

async fn redis(node: &str, command: &[&str]) {
    let url = format!("redis://{node}");
    run(Command::new("redis-cli")
        .args(["-e", "-u", &url])
        .args(command))
    .await;
}

/// Host and port of each; one that is no cluster is one node.
pub fn redis_nodes() -> Vec<String> {
    let url = environment::redis();
    let (_, nodes) = url.split_once("://").expect("a URL");
    nodes
        .replace("node=", "")
        .split(['?', '&'])
        .map(str::to_owned)
        .collect()
}

async fn infra(arguments: &[&str]) {
    run(Command::new("scripts/infra.sh").args(arguments)).await;
}

/// What it says goes to a file: servers that it starts would keep a pipe open.
async fn run(command: &mut Command) {
    let path = run_directory().join("commands.log");
    let log = std::fs::File::options()
        .create(true)
        .append(true)
        .open(&path);
    let log = log.expect("a log of commands");
    let status = command
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a second handle of the log"))
        .stderr(log)
        .status()
        .await;
    let succeeded = status.is_ok_and(|status| status.success());
    assert!(succeeded, "{command:?} failed: see {}", path.display());
}

fn run_directory() -> PathBuf {
    let run = std::env::var_os("DOUSHENG_RUN");
    run.expect("DOUSHENG_RUN, which scripts/chaos.sh sets")
        .into()
}
