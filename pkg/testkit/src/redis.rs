//! A Redis for one test, which may kill it, freeze it, set it back to older data and look into it.

use std::{
    path::Path,
    process::Command,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    Certificates, Process,
    certificates::{redis_cli, redis_server},
    eventually,
    ports::{ATTEMPTS, free_port},
};

/// How long Redis may take to answer after its start.
const START_LIMIT: Duration = Duration::from_secs(15);
/// A write is in the file before its answer, so it survives a killed process. Without fsync: no test crashes the machine.
pub(crate) const APPEND_ONLY: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "no"];

/// Ended, and its data removed, when the value goes. It keeps every write at once, so that a restart loses nothing.
#[derive(Debug)]
pub struct Redis {
    process: Mutex<Process>,
    port: u16,
    tls: Option<Certificates>,
    data: TempDir,
}

/// Why a Redis refuses to write, while it goes on answering reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// `READONLY`: it has become a replica, of a primary that is away.
    ReadOnly,
    /// `NOREPLICAS`: it has fewer than it must have.
    NoReplicas,
    /// `MISCONF`: it couldn't save its data.
    Unsaved,
}

impl Redis {
    /// Starts on a free port; answers when this returns.
    pub async fn start() -> Self {
        Self::start_on(None).await
    }

    /// As [`Redis::start`]; speaks TLS alone.
    pub async fn start_with_tls(certificates: &Certificates) -> Self {
        Self::start_on(Some(certificates.clone())).await
    }

    async fn start_on(tls: Option<Certificates>) -> Self {
        for _ in 0..ATTEMPTS {
            let data = tempfile::tempdir().expect("a directory for Redis");
            let port = free_port();
            let process = Mutex::new(spawn(port, tls.as_ref(), data.path()));
            let redis = Self {
                process,
                port,
                tls: tls.clone(),
                data,
            };
            if redis.answers().await {
                return redis;
            }
        }
        panic!(
            "Redis did not start on {ATTEMPTS} ports (is redis-server installed? `make test` does it)"
        );
    }

    /// `redis://127.0.0.1:<port>`, or `rediss://…`; stays the same over restarts.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() {
            "rediss"
        } else {
            "redis"
        };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// SIGKILL.
    pub fn kill(&self) {
        self.process().kill9();
    }

    /// SIGSTOP: connections stay open, nothing is answered.
    pub fn freeze(&self) {
        self.process().freeze();
    }

    /// Ends a freeze.
    pub fn thaw(&self) {
        self.process().thaw();
    }

    /// From now on it refuses to write.
    pub async fn refuse_writes(&self, why: Refusal) {
        let config = |name: &str, value: &str| self.command(0, &["CONFIG", "SET", name, value]);
        match why {
            Refusal::ReadOnly => {
                self.command(0, &["REPLICAOF", "127.0.0.1", "1"]);
            }
            Refusal::NoReplicas => {
                config("min-replicas-to-write", "1");
            }
            Refusal::Unsaved => {
                // Where the file belongs there is a directory.
                let file = self.data.path().join("dump.rdb");
                std::fs::create_dir_all(file).expect("a directory in the way");
                config("stop-writes-on-bgsave-error", "yes");
                config("save", "3600 1");
                self.command(0, &["BGSAVE"]);
                eventually(START_LIMIT, "a save that failed", async || {
                    let info = self.command(0, &["INFO", "persistence"]);
                    info.contains("rdb_last_bgsave_status:err").then_some(())
                })
                .await;
            }
        }
    }

    /// Ends that, whyever it did.
    pub fn accept_writes(&self) {
        self.command(0, &["REPLICAOF", "NO", "ONE"]);
        for (name, value) in [
            ("min-replicas-to-write", "0"),
            ("stop-writes-on-bgsave-error", "no"),
            ("save", ""),
        ] {
            self.command(0, &["CONFIG", "SET", name, value]);
        }
    }

    /// Brings it back with its data; kills it first if it runs. Answers when this returns.
    pub async fn restart(&self) {
        self.kill();
        *self.process() = spawn(self.port, self.tls.as_ref(), self.data.path());
        let what = format!("Redis on {} after its restart", self.url());
        eventually(START_LIMIT, &what, async || self.ping().then_some(())).await;
    }

    /// As [`Redis::restart`], but everything it held is gone.
    pub async fn restart_empty(&self) {
        self.kill();
        self.remove_data();
        self.restart().await;
    }

    /// A copy of what it holds now.
    pub fn backup(&self) -> TempDir {
        let copy = tempfile::tempdir().expect("a directory for a backup");
        copy_files(&self.data.path().join(FILES), &copy.path().join(FILES));
        copy
    }

    /// As [`Redis::restart`], but with what it held when `backup` was made.
    pub async fn restart_from(&self, backup: &TempDir) {
        self.kill();
        self.remove_data();
        copy_files(&backup.path().join(FILES), &self.data.path().join(FILES));
        self.restart().await;
    }

    /// Runs a command, for example `["GET", "key"]`, in a logical database; the answer as `redis-cli` prints it, no answer
    /// within 5 s or an error is a panic.
    pub fn command(&self, database: u8, command: &[&str]) -> String {
        let answer = self.cli(database, command);
        answer.unwrap_or_else(|| panic!("{command:?} was not answered by {}", self.url()))
    }

    /// False when the process ended, which is how a taken port shows.
    async fn answers(&self) -> bool {
        let start = Instant::now();
        while start.elapsed() < START_LIMIT && self.process().exit_status().is_none() {
            if self.ping() {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        false
    }

    fn ping(&self) -> bool {
        self.cli(0, &["PING"]).as_deref() == Some("PONG")
    }

    fn cli(&self, database: u8, command: &[&str]) -> Option<String> {
        let output = Command::new("timeout")
            .args(["5", "redis-cli", "-e", "-h", "127.0.0.1"])
            .args(redis_cli(self.tls.as_ref()))
            .args(["-p", &self.port.to_string(), "-n", &database.to_string()])
            .args(command)
            .output()
            .expect("run redis-cli");
        let answer = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        output.status.success().then_some(answer)
    }

    fn remove_data(&self) {
        std::fs::remove_dir_all(self.data.path().join(FILES)).expect("remove Redis's data");
    }

    fn process(&self) -> MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The directory of the append-only files.
const FILES: &str = "appendonlydir";

fn spawn(port: u16, tls: Option<&Certificates>, data: &Path) -> Process {
    let mut command = Command::new("redis-server");
    command
        .args(["--bind", "127.0.0.1", "--daemonize", "no", "--save", ""])
        .args(redis_server(port, tls))
        .args(APPEND_ONLY)
        .args(["--appenddirname", FILES])
        .arg("--dir")
        .arg(data);
    Process::spawn("redis", command)
}

fn copy_files(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory for the copy");
    for file in std::fs::read_dir(from).expect("Redis's data") {
        let file = file.expect("a file of Redis");
        std::fs::copy(file.path(), to.join(file.file_name())).expect("copy a file of Redis");
    }
}
