//! The servers of this run (`scripts/chaos.sh` starts and ends them): how each is killed, how all come back.

use std::{path::PathBuf, process::Stdio, time::Duration};

use testkit::{environment, eventually};
use tokio::process::Command;

/// How long a killed process may take until it is gone.
const GONE_LIMIT: Duration = Duration::from_secs(5);

/// A server, by its directory.
#[derive(Debug, Clone, Copy)]
pub enum Server {
    Primary,
    Replica,
    Etcd,
    Redis,
    Store,
}

impl Server {
    fn directory(self) -> PathBuf {
        let name = match self {
            Self::Primary => "primary",
            Self::Replica => "replica",
            Self::Etcd => "etcd",
            Self::Redis => "redis",
            Self::Store => "s3",
        };
        run_directory().join(name)
    }

    /// SIGKILL; it is gone when this returns.
    pub async fn kill(self) {
        let directory = self.directory();
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

/// Brings back whatever is away, and waits until replication has caught up.
pub async fn back() {
    infra(&["start"]).await;
}

/// Lets the replica lag by so much; zero ends it.
pub async fn delay_replica(seconds: u64) {
    infra(&["replica-delay", &seconds.to_string()]).await;
}

/// The replica goes on receiving, and applies nothing.
pub async fn stop_applying() {
    // The admin's account is that of whoever runs this, by the unix socket alone.
    let client = "cd \"$1\" && exec mariadb --no-defaults --socket=m.sock -u\"$(id -un)\" -e 'STOP SLAVE SQL_THREAD'";
    let data = Server::Replica.directory().join("data");
    run(Command::new("sh").args(["-c", client, "sh"]).arg(data)).await;
}

/// Empties all of Redis.
pub async fn flush_redis() {
    run(Command::new("redis-cli").args(["-u", &environment::redis(), "FLUSHALL"])).await;
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
