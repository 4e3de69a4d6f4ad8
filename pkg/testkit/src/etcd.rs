//! An etcd for one test, which may kill it, freeze it and start it again.

use std::{
    process::Command,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use etcd_client::{Client, GetOptions};
use tempfile::TempDir;

use crate::{
    Certificates, Process, eventually,
    ports::{ATTEMPTS, free_port},
};

/// How long etcd may take to answer after its start.
const START_LIMIT: Duration = Duration::from_secs(15);

/// Ended, and its data removed, when the value goes.
#[derive(Debug)]
pub struct Etcd {
    process: Mutex<Process>,
    client_port: u16,
    peer_port: u16,
    tls: Option<Certificates>,
    data: TempDir,
}

impl Etcd {
    /// Starts on free ports; answers when this returns.
    pub async fn start() -> Self {
        Self::start_on(None).await
    }

    /// As [`Etcd::start`]; its clients speak TLS.
    pub async fn start_with_tls(certificates: &Certificates) -> Self {
        Self::start_on(Some(certificates.clone())).await
    }

    async fn start_on(tls: Option<Certificates>) -> Self {
        for _ in 0..ATTEMPTS {
            let data = tempfile::tempdir().expect("a directory for etcd");
            let (client_port, peer_port) = (free_port(), free_port());
            let process = spawn(client_port, peer_port, tls.as_ref(), &data);
            let etcd = Self {
                process: Mutex::new(process),
                client_port,
                peer_port,
                tls: tls.clone(),
                data,
            };
            if etcd.answers().await {
                return etcd;
            }
        }
        panic!(
            "etcd did not start on {ATTEMPTS} pairs of ports (is etcd installed? `make test` does it)"
        );
    }

    /// `http://127.0.0.1:<port>`, or `https://…`; stays the same over restarts.
    pub fn endpoint(&self) -> String {
        client_url(self.client_port, self.tls.as_ref())
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

    /// Brings it back with its data; kills it first if it runs. Answers when this returns.
    pub async fn restart(&self) {
        self.kill();
        *self.process() = spawn(
            self.client_port,
            self.peer_port,
            self.tls.as_ref(),
            &self.data,
        );
        let what = format!("etcd's answer after its restart on {}", self.endpoint());
        eventually(START_LIMIT, &what, async || {
            self.healthy().await.then_some(())
        })
        .await;
    }

    /// As [`Etcd::restart`], but everything it knew is gone, revisions too.
    pub async fn restart_empty(&self) {
        self.kill();
        let data = self.data.path().join("data");
        std::fs::remove_dir_all(data).expect("remove etcd's data");
        self.restart().await;
    }

    /// False when the process ended, which is how a taken port shows.
    async fn answers(&self) -> bool {
        let start = Instant::now();
        while start.elapsed() < START_LIMIT && self.process().exit_status().is_none() {
            if self.healthy().await {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        false
    }

    async fn healthy(&self) -> bool {
        let mut client = reqwest::Client::builder().no_proxy();
        if let Some(tls) = &self.tls {
            let pem = std::fs::read(tls.ca()).expect("the CA");
            let ca = reqwest::Certificate::from_pem(&pem).expect("a certificate");
            client = client.add_root_certificate(ca);
        }
        let client = client.build().expect("an HTTP client");
        let request = client
            .get(format!("{}/health", self.endpoint()))
            .timeout(Duration::from_secs(1));
        request
            .send()
            .await
            .is_ok_and(|answer| answer.status().is_success())
    }

    fn process(&self) -> std::sync::MutexGuard<'_, Process> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keys under a prefix, in any etcd; none when it doesn't answer.
pub(crate) async fn keys(endpoints: &[&str], prefix: &str) -> Vec<String> {
    let options = GetOptions::new().with_prefix().with_keys_only();
    let found = async {
        let mut client = Client::connect(endpoints, None).await?;
        client.get(prefix, Some(options)).await
    };
    match found.await {
        Ok(found) => found
            .kvs()
            .iter()
            .filter_map(|entry| Some(entry.key_str().ok()?.to_owned()))
            .collect(),
        Err(_) => Vec::new(),
    }
}

fn client_url(port: u16, tls: Option<&Certificates>) -> String {
    let scheme = if tls.is_some() { "https" } else { "http" };
    format!("{scheme}://127.0.0.1:{port}")
}

fn spawn(client_port: u16, peer_port: u16, tls: Option<&Certificates>, data: &TempDir) -> Process {
    let client = client_url(client_port, tls);
    let peer = format!("http://127.0.0.1:{peer_port}");
    let mut command = Command::new("etcd");
    command
        .args(["--name", "test", "--logger", "zap"])
        .arg("--data-dir")
        .arg(data.path().join("data"))
        .args([
            "--listen-client-urls",
            &client,
            "--advertise-client-urls",
            &client,
        ])
        .args([
            "--listen-peer-urls",
            &peer,
            "--initial-advertise-peer-urls",
            &peer,
        ])
        .args(["--initial-cluster", &format!("test={peer}")]);
    if let Some(tls) = tls {
        command.arg("--cert-file").arg(tls.certificate());
        command.arg("--key-file").arg(tls.key());
    }
    Process::spawn("etcd", command)
}
