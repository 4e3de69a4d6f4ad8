//! A primary and its replicas (MariaDB) for one test, which may delay them, kill them and switch their roles.
//!
//! Futures are `boxed`, for the reason given in `bucket.rs`.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures::FutureExt as _;
use sea_orm::TryGetable;
use tempfile::TempDir;

use crate::{
    Process,
    database::{run, try_connect, value},
    eventually,
    ports::{ATTEMPTS, free_port},
};

/// How long a server may take to answer after its start.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long replicas may take to have what the primary has.
const CAUGHT_UP_LIMIT: Duration = Duration::from_secs(60);
/// The database that the accounts are for.
const DATABASE: &str = "dt_own";
/// May do everything, read-only or not; `app` may do everything in the database, but not where a server is read-only.
const ACCOUNTS: &str = "FLUSH PRIVILEGES;
CREATE USER 'admin'@'127.0.0.1' IDENTIFIED BY 'admin';
GRANT ALL PRIVILEGES ON *.* TO 'admin'@'127.0.0.1' WITH GRANT OPTION;
CREATE USER 'app'@'127.0.0.1' IDENTIFIED BY 'app';
GRANT ALL PRIVILEGES ON dt_own.* TO 'app'@'127.0.0.1';
GRANT SLAVE MONITOR ON *.* TO 'app'@'127.0.0.1';
CREATE DATABASE dt_own CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;
";

/// Servers by number; 0 is the primary at first. Ended, and their data removed, when the value goes.
#[derive(Debug)]
pub struct Replicated {
    servers: Vec<Server>,
    home: TempDir,
}

#[derive(Debug)]
struct Server {
    process: Mutex<Process>,
    port: u16,
}

impl Replicated {
    /// A primary and so many replicas, with an empty database; all have the same when this returns.
    pub async fn start(replicas: usize) -> Self {
        let home = tempfile::tempdir().expect("a directory for MariaDB");
        let template = home.path().join("template");
        install(home.path(), &template);
        let mut servers = Vec::new();
        for number in 0..=replicas {
            servers.push(start_one(home.path(), number).await);
        }
        std::fs::remove_dir_all(template).expect("remove the template");
        let mariadb = Self { servers, home };
        for number in 1..=replicas {
            mariadb.follow(number, 0).await;
        }
        mariadb
    }

    /// "127.0.0.1:port"; stays the same over restarts.
    pub fn address(&self, number: usize) -> String {
        format!("127.0.0.1:{}", self.servers[number].port)
    }

    /// The database as the services see it on this server.
    pub fn url(&self, number: usize) -> String {
        Self::url_at(&self.address(number))
    }

    /// The same behind a gate.
    pub fn url_at(address: &str) -> String {
        format!("mysql://app:app@{address}/{DATABASE}")
    }

    fn admin(&self, number: usize) -> String {
        format!("mysql://admin:admin@{}/{DATABASE}", self.address(number))
    }

    /// Runs a statement that may do everything.
    pub async fn execute(&self, number: usize, sql: &str) {
        run(&self.admin(number), sql).boxed().await;
    }

    /// First column of the first row.
    pub async fn value<T: TryGetable + Send>(&self, number: usize, sql: &str) -> T {
        value(&self.admin(number), sql).boxed().await
    }

    /// Lets a replica apply what it gets so much later; zero ends it.
    pub async fn delay(&self, number: usize, seconds: u32) {
        let sql = format!("STOP SLAVE; CHANGE MASTER TO MASTER_DELAY = {seconds}; START SLAVE");
        self.execute(number, &sql).await;
    }

    /// SIGKILL.
    pub fn kill(&self, number: usize) {
        self.process(number).kill9();
    }

    /// Brings it back with its data; kills it first if it runs. Answers when this returns.
    pub async fn restart(&self, number: usize) {
        self.kill(number);
        let server = &self.servers[number];
        *self.process(number) = spawn(self.home.path(), number, server.port);
        self.answers(number).await;
    }

    /// A switchover: `to` takes the place of `from`, which lives on, read-only.
    pub async fn switch(&self, from: usize, to: usize) {
        self.execute(from, "SET GLOBAL read_only = 1").await;
        self.caught_up(from, to).await;
        self.execute(to, "STOP SLAVE; RESET SLAVE ALL; SET GLOBAL read_only = 0")
            .await;
    }

    /// Waits until `replica` has everything that `primary` has now.
    pub async fn caught_up(&self, primary: usize, replica: usize) {
        let position: String = self.value(primary, "SELECT @@global.gtid_binlog_pos").await;
        let wait = format!(
            "SELECT CAST(MASTER_GTID_WAIT('{position}', {}) AS SIGNED)",
            CAUGHT_UP_LIMIT.as_secs()
        );
        let outcome: i64 = self.value(replica, &wait).await;
        assert_eq!(outcome, 0, "a replica did not reach {position}");
    }

    async fn follow(&self, replica: usize, primary: usize) {
        let port = self.servers[primary].port;
        let sql = format!(
            "SET GLOBAL read_only = 1; CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {port}, MASTER_USER = 'admin',
             MASTER_PASSWORD = 'admin', MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1; START SLAVE"
        );
        self.execute(replica, &sql).await;
        let what = "a replica that follows";
        eventually(START_LIMIT, what, async || {
            let sql = "SELECT COUNT(*) FROM information_schema.processlist WHERE command = 'Slave_IO' AND state LIKE 'Waiting for master%'";
            (self.value::<i64>(replica, sql).await > 0).then_some(())
        })
        .await;
    }

    async fn answers(&self, number: usize) {
        let what = format!("MariaDB {number} of the test");
        eventually(START_LIMIT, &what, async || {
            try_connect(&self.admin(number)).boxed().await.ok()
        })
        .await;
    }

    fn process(&self, number: usize) -> MutexGuard<'_, Process> {
        let process = self.servers[number].process.lock();
        process.unwrap_or_else(PoisonError::into_inner)
    }
}

async fn start_one(home: &Path, number: usize) -> Server {
    let copied = Command::new("cp")
        .arg("-a")
        .args([home.join("template"), data(home, number)])
        .status();
    assert!(copied.is_ok_and(|status| status.success()), "copy the data");
    for _ in 0..ATTEMPTS {
        let port = free_port();
        let process = spawn(home, number, port);
        let url = format!("mysql://admin:admin@127.0.0.1:{port}/{DATABASE}");
        let answers = async {
            while process.exit_status().is_none() {
                if try_connect(&url).boxed().await.is_ok() {
                    return true;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            false
        };
        if tokio::time::timeout(START_LIMIT, answers).await == Ok(true) {
            return Server {
                process: Mutex::new(process),
                port,
            };
        }
    }
    panic!("MariaDB did not start on {ATTEMPTS} ports (is it installed? `make test` does it)");
}

fn data(home: &Path, number: usize) -> PathBuf {
    home.join(number.to_string())
}

/// Makes a data directory, which servers are copied from: what is in it is in no binary log.
fn install(home: &Path, template: &Path) {
    let accounts = home.join("accounts.sql");
    std::fs::write(&accounts, ACCOUNTS).expect("the accounts");
    let installed = Command::new("mariadb-install-db")
        .args(["--no-defaults", "--force", "--skip-test-db"])
        .arg(format!("--user={}", user()))
        .arg(format!("--datadir={}", template.display()))
        .arg(format!("--extra-file={}", accounts.display()))
        .args(["--skip-log-bin", "--innodb-log-file-size=8M"])
        .stdin(Stdio::null())
        .output()
        .expect("mariadb-install-db, which `make test` installs");
    assert!(
        installed.status.success(),
        "mariadb-install-db failed: {}",
        String::from_utf8_lossy(&installed.stderr)
    );
}

fn spawn(home: &Path, number: usize, port: u16) -> Process {
    let data = data(home, number);
    let mut command = Command::new("mariadbd");
    command
        .arg("--no-defaults")
        .arg(format!("--user={}", user()))
        .arg(format!("--datadir={}", data.display()))
        .arg(format!("--tmpdir={}", data.display()))
        .arg(format!("--port={port}"))
        .arg(format!("--server-id={}", number + 1))
        .args([
            "--socket=m.sock",
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--character-set-server=utf8mb4",
            "--collation-server=utf8mb4_unicode_ci",
            "--log-bin=binlog",
            "--binlog-format=ROW",
            "--log-slave-updates=ON",
            "--gtid-strict-mode=ON",
            "--relay-log=relay",
            "--innodb-buffer-pool-size=32M",
            "--innodb-log-file-size=8M",
            "--innodb-flush-log-at-trx-commit=2",
            "--performance-schema=OFF",
        ]);
    Process::spawn(&format!("mariadb-{number}"), command)
}

fn user() -> String {
    let id = Command::new("id").arg("-un").output().expect("id -un");
    String::from_utf8_lossy(&id.stdout).trim().to_owned()
}
