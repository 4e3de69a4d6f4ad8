//! A MariaDB without a binary log for one test: its commits have no GTIDs.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    Process,
    ports::{ATTEMPTS, free_port},
};

/// How long it may take to make its files and to answer.
const START_LIMIT: Duration = Duration::from_secs(60);

/// Ended, and its data removed, when the value goes.
#[derive(Debug)]
pub struct PlainMariaDb {
    // The server goes before its data.
    _process: Process,
    port: u16,
    _data: TempDir,
}

impl PlainMariaDb {
    /// Starts on a free port, with an empty database; answers when this returns.
    pub async fn start() -> Self {
        let data = tempfile::tempdir().expect("a directory for MariaDB");
        let install = Command::new("mariadb-install-db")
            .args(["--no-defaults", "--force", "--skip-test-db"])
            .args(["--auth-root-authentication-method=normal", "--user=root"])
            .arg(option("datadir", data.path()))
            .stdin(Stdio::null())
            .output()
            .expect("run mariadb-install-db");
        assert!(install.status.success(), "mariadb-install-db: {install:?}");
        for _ in 0..ATTEMPTS {
            let port = free_port();
            let process = spawn(port, data.path());
            if answers(&process, port).await {
                let created = client(port, "CREATE DATABASE plain CHARACTER SET utf8mb4");
                assert!(created, "the database is created");
                return Self {
                    _process: process,
                    port,
                    _data: data,
                };
            }
        }
        panic!("MariaDB did not start on {ATTEMPTS} ports (is it installed? `make test` does it)");
    }

    /// Address of its database, with an account that may do everything.
    pub fn url(&self) -> String {
        format!("mysql://root@127.0.0.1:{}/plain", self.port)
    }
}

/// False when the process ended, which is how a taken port shows.
async fn answers(process: &Process, port: u16) -> bool {
    let start = Instant::now();
    while start.elapsed() < START_LIMIT && process.exit_status().is_none() {
        if client(port, "SELECT 1") {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    false
}

fn client(port: u16, sql: &str) -> bool {
    let client = Command::new("mariadb")
        .args(["--no-defaults", "-h127.0.0.1", "-uroot", "-e", sql])
        .arg(format!("-P{port}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    client.expect("run mariadb").success()
}

fn spawn(port: u16, data: &Path) -> Process {
    let mut command = Command::new("mariadbd");
    command
        .args(["--no-defaults", "--bind-address=127.0.0.1"])
        .args(["--skip-log-bin", "--skip-name-resolve", "--user=root"])
        .args(["--innodb-buffer-pool-size=16M", "--socket=m.sock"])
        .arg(format!("--port={port}"))
        .arg(option("datadir", data))
        .arg(option("tmpdir", data));
    Process::spawn("mariadb", command)
}

fn option(name: &str, path: &Path) -> String {
    format!("--{name}={}", path.display())
}
