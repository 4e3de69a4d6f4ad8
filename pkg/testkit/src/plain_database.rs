//! A database server without a binary log for one test: its commits have no GTIDs.

use tempfile::TempDir;

use crate::{
    Process,
    engine::Engine,
    own_server::{home, install, start},
};

/// One account, which may do everything.
const ACCOUNTS: [&str; 3] = [
    "CREATE DATABASE IF NOT EXISTS plain CHARACTER SET utf8mb4;",
    "CREATE USER IF NOT EXISTS 'root'@'127.0.0.1';",
    "GRANT ALL PRIVILEGES ON *.* TO 'root'@'127.0.0.1' WITH GRANT OPTION;",
];

/// Ended, and its data removed, when the value goes.
#[derive(Debug)]
pub struct PlainDatabase {
    // The server goes before its data.
    _process: Process,
    port: u16,
    _home: TempDir,
}

impl PlainDatabase {
    /// Starts on a free port, with an empty database; answers when this returns.
    pub async fn start() -> Self {
        let engine = Engine::of_tests();
        let (home, data) = home();
        install(&engine, &data, &ACCOUNTS.map(str::to_owned));
        let options = ["--skip-log-bin".to_owned()];
        let (process, port) = start(&engine, &data, &options, url).await;
        Self {
            _process: process,
            port,
            _home: home,
        }
    }

    /// Address of its database, with an account that may do everything.
    pub fn url(&self) -> String {
        url(self.port)
    }
}

fn url(port: u16) -> String {
    format!("mysql://root@127.0.0.1:{port}/plain")
}
