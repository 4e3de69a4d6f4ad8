//! A database server with TLS for one test: one primary, no replicas.

use tempfile::TempDir;

use crate::{
    Certificates, Process,
    engine::Engine,
    own_server::{home, install, logged, option, start},
};

/// One account, which is let in by TLS alone.
const ACCOUNTS: [&str; 3] = [
    "CREATE DATABASE IF NOT EXISTS dousheng CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;",
    "CREATE USER IF NOT EXISTS 'test'@'127.0.0.1' IDENTIFIED BY 'test' REQUIRE SSL;",
    "GRANT ALL PRIVILEGES ON *.* TO 'test'@'127.0.0.1';",
];

/// Ended, and its data removed, when the value goes.
#[derive(Debug)]
pub struct TlsDatabase {
    // Before its data.
    _process: Process,
    port: u16,
    _home: TempDir,
}

impl TlsDatabase {
    /// Starts on a free port; answers when this returns.
    pub async fn start(certificates: &Certificates) -> Self {
        let engine = Engine::of_tests();
        let (home, data) = home();
        install(&engine, &data, &ACCOUNTS.map(str::to_owned));
        let mut options = logged(&engine, 1);
        options.push(option("ssl-cert", &certificates.certificate()));
        options.push(option("ssl-key", &certificates.key()));
        let (process, port) = start(&engine, &data, &options, |port| url(port, "REQUIRED")).await;
        Self {
            _process: process,
            port,
            _home: home,
        }
    }

    /// The address of its database `dousheng` with the account of the test; `ssl_mode` as MySQL calls it.
    pub fn url(&self, ssl_mode: &str) -> String {
        url(self.port, ssl_mode)
    }
}

fn url(port: u16, ssl_mode: &str) -> String {
    format!("mysql://test:test@127.0.0.1:{port}/dousheng?ssl-mode={ssl_mode}")
}
