//! A database server for one test, of the kind that all tests run on: its data directory, its start and its end.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use futures::FutureExt as _;

use crate::{
    Process,
    database::try_connect,
    engine::Engine,
    ports::{ATTEMPTS, free_port},
};

/// How long a server may take to answer after its start.
pub(crate) const START_LIMIT: Duration = Duration::from_secs(60);
/// Statements that run at each start, one a line; nothing of them is logged.
const STATEMENTS: &str = "start.sql";

/// Makes an empty data directory. Every start on it or on a copy of it runs `statements` (which must bear repetition): the accounts.
pub(crate) fn install(engine: &Engine, data: &Path, statements: &[String]) {
    let mut command = match engine {
        Engine::MariaDb => {
            let mut command = Command::new("mariadb-install-db");
            command
                .args(["--no-defaults", "--force", "--skip-test-db"])
                .args(["--skip-log-bin", "--innodb-log-file-size=8M"]);
            command
        }
        Engine::MySql(server) => {
            let mut command = Command::new(server);
            command.args(["--no-defaults", "--initialize-insecure"]);
            command
        }
    };
    // When a server starts, it removes all temporary tables in its tmpdir, even another server's. So each has a tmpdir of its own.
    let temporary = tempfile::tempdir().expect("a directory for temporary tables");
    let made = command
        .args([user(), option("datadir", data)])
        .arg(option("tmpdir", temporary.path()))
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}; `make test` installs it"));
    let said = String::from_utf8_lossy(&made.stderr);
    assert!(made.status.success(), "{command:?}: {said}");
    let statements = format!("SET sql_log_bin = 0;\n{}\n", statements.join("\n"));
    std::fs::write(data.join(STATEMENTS), statements).expect("the statements of each start");
}

/// Starts a server on a data directory.
pub(crate) fn spawn(engine: &Engine, data: &Path, port: u16, options: &[String]) -> Process {
    let mut command = match engine {
        Engine::MariaDb => {
            let mut command = Command::new("mariadbd");
            command.args(["--no-defaults", "--innodb-log-file-size=8M"]);
            command
        }
        Engine::MySql(server) => {
            let mut command = Command::new(server);
            command
                .args(["--no-defaults", "--loose-innodb-redo-log-capacity=8M"])
                .args(["--mysqlx=OFF", "--secure-file-priv=NULL"]);
            command
        }
    };
    command
        .args([user(), option("datadir", data), option("tmpdir", data)])
        .arg(option("init-file", &data.join(STATEMENTS)))
        .args(["--socket=m.sock", "--bind-address=127.0.0.1"])
        .args([&format!("--port={port}"), "--skip-name-resolve"])
        .args([
            "--character-set-server=utf8mb4",
            "--collation-server=utf8mb4_unicode_ci",
            "--innodb-buffer-pool-size=32M",
            "--innodb-flush-log-at-trx-commit=2",
            "--performance-schema=OFF",
        ])
        .args(options);
    Process::spawn("database", command)
}

/// Starts a server on a data directory and a free port. It answers at `url(port)` when this returns.
pub(crate) async fn start(
    engine: &Engine,
    data: &Path,
    options: &[String],
    url: impl Fn(u16) -> String,
) -> (Process, u16) {
    for _ in 0..ATTEMPTS {
        let port = free_port();
        let process = spawn(engine, data, port, options);
        let url = url(port);
        let answers = async {
            // A taken port shows by its end.
            while process.exit_status().is_none() {
                if try_connect(&url).boxed().await.is_ok() {
                    return true;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            false
        };
        if tokio::time::timeout(START_LIMIT, answers).await == Ok(true) {
            return (process, port);
        }
    }
    panic!("{engine:?} did not start on {ATTEMPTS} ports (is it installed? `make test` does it)");
}

/// The options of a server that logs its commits under GTIDs.
pub(crate) fn logged(engine: &Engine, number: usize) -> Vec<String> {
    let mut options = vec![
        format!("--server-id={number}"),
        "--log-bin=binlog".to_owned(),
        "--relay-log=relay".to_owned(),
    ];
    let of_engine = match engine {
        Engine::MariaDb => [
            "--binlog-format=ROW",
            "--log-slave-updates=ON",
            "--gtid-strict-mode=ON",
        ],
        Engine::MySql(_) => [
            "--gtid-mode=ON",
            "--enforce-gtid-consistency=ON",
            "--replica-preserve-commit-order=ON",
        ],
    };
    options.extend(of_engine.map(str::to_owned));
    options
}

pub(crate) fn option(name: &str, path: &Path) -> String {
    format!("--{name}={}", path.display())
}

fn user() -> String {
    let id = Command::new("id").arg("-un").output().expect("id -un");
    format!("--user={}", String::from_utf8_lossy(&id.stdout).trim())
}

/// An empty directory for a server's data, in one that goes with the value.
pub(crate) fn home() -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().expect("a directory for a database");
    let data = home.path().join("data");
    (home, data)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_installed_at_the_same_time_leave_each_other_alone() {
        let engine = Engine::of_tests();
        std::thread::scope(|all| {
            for _ in 0..6 {
                all.spawn(|| {
                    let (_home, data) = home();
                    install(&engine, &data, &[]);
                });
            }
        });
    }
}
