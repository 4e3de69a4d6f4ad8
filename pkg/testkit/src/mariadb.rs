//! A MariaDB with TLS for one test: one primary, no replicas.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::{
    Certificates, Process,
    ports::{ATTEMPTS, free_port},
};

/// How long it may take to answer after its start.
const START_LIMIT: Duration = Duration::from_secs(30);
/// One account, which is let in by TLS alone.
const ACCOUNTS: &str = "CREATE DATABASE dousheng CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci; \
    CREATE USER 'test'@'127.0.0.1' IDENTIFIED BY 'test' REQUIRE SSL; \
    GRANT ALL PRIVILEGES ON *.* TO 'test'@'127.0.0.1';";

/// Ended, and its data removed, when the value goes.
#[derive(Debug)]
pub struct MariaDb {
    // Before its data.
    _process: Process,
    port: u16,
    _data: TempDir,
}

impl MariaDb {
    /// Starts on a free port; answers when this returns.
    pub async fn start_with_tls(certificates: &Certificates) -> Self {
        let me = output(Command::new("id").arg("-un"));
        for _ in 0..ATTEMPTS {
            let data = tempfile::tempdir().expect("a directory for MariaDB");
            initialise(data.path(), &me);
            let port = free_port();
            let process = spawn(data.path(), &me, port, certificates);
            if answers(&process, data.path(), &me).await {
                sql(data.path(), &me, ACCOUNTS).expect("accounts");
                return Self {
                    _process: process,
                    port,
                    _data: data,
                };
            }
        }
        panic!("MariaDB did not start on {ATTEMPTS} ports (is it installed? `make test` does it)");
    }

    /// The address of its database `dousheng` with the account of the test; `ssl_mode` as MySQL calls it.
    pub fn url(&self, ssl_mode: &str) -> String {
        let port = self.port;
        format!("mysql://test:test@127.0.0.1:{port}/dousheng?ssl-mode={ssl_mode}")
    }
}

fn initialise(data: &Path, me: &str) {
    output(
        Command::new("mariadb-install-db")
            .args(["--no-defaults", "--force", "--skip-test-db"])
            .arg("--auth-root-authentication-method=socket")
            .arg(format!("--auth-root-socket-user={me}"))
            .arg(format!("--user={me}"))
            .arg(format!("--datadir={}", data.display())),
    );
}

fn spawn(data: &Path, me: &str, port: u16, certificates: &Certificates) -> Process {
    let mut command = Command::new("mariadbd");
    command
        .args(["--no-defaults", "--skip-name-resolve", "--socket=m.sock"])
        .args(["--bind-address=127.0.0.1", "--innodb-buffer-pool-size=32M"])
        .args(["--server-id=1", "--log-bin=binlog", "--binlog-format=ROW"])
        .args([
            "--character-set-server=utf8mb4",
            "--collation-server=utf8mb4_unicode_ci",
        ])
        .arg(format!("--user={me}"))
        .arg(format!("--port={port}"))
        .arg(format!("--datadir={}", data.display()))
        .arg(format!("--tmpdir={}", data.display()))
        .arg(format!(
            "--ssl-cert={}",
            certificates.certificate().display()
        ))
        .arg(format!("--ssl-key={}", certificates.key().display()));
    Process::spawn("mariadb", command)
}

/// False when the process ended, which is how a taken port shows.
async fn answers(process: &Process, data: &Path, me: &str) -> bool {
    let start = Instant::now();
    while start.elapsed() < START_LIMIT && process.exit_status().is_none() {
        if sql(data, me, "SELECT 1").is_some() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    false
}

/// As the admin, over the socket.
fn sql(data: &Path, me: &str, statements: &str) -> Option<()> {
    let status = Command::new("mariadb")
        .args([
            "--no-defaults",
            "--socket=m.sock",
            "-u",
            me,
            "-e",
            statements,
        ])
        .current_dir(data)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.expect("run mariadb").success().then_some(())
}

fn output(command: &mut Command) -> String {
    let output = command.output().expect("run a program of MariaDB's");
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
