//! Proxies that make the real servers misbehave on request.

pub mod world;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use testkit::media as files;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// A silent film of six pictures by this encoder, the last of which is shown for ten seconds: 15 s in all.
pub fn with_long_last_picture(encoder: &str) -> Vec<u8> {
    let name = format!("six-pictures-{encoder}.mp4");
    let film = format!(
        "-f lavfi -i testsrc=size=180x320:rate=1:duration=6 -pix_fmt yuv420p -c:v {encoder}"
    );
    let source = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(source.path(), files::made(&name, &film)).unwrap();
    let longer = format!(
        "-i {} -c copy -bsf:v setts=duration=10/TB -movflags +faststart",
        source.path().display()
    );
    files::made(&format!("long-last-{name}"), &longer)
}

/// How an [`HttpServer`] sends a file.
#[derive(Debug, Clone, Copy)]
pub enum SendFault {
    /// Not at all: the connection is closed without an answer.
    Close,
    /// Half of it, then the connection is closed.
    BreakOff,
    /// A byte now and then: never done, never silent.
    Drip,
}

/// Serves one file, badly. Ends with the value.
pub struct HttpServer {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl HttpServer {
    pub async fn serve(file: Vec<u8>, manner: SendFault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let file = Arc::new(file);
        let task = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(answer(connection, file.clone(), manner));
            }
        });
        Self { address, task }
    }

    pub fn url(&self) -> String {
        format!("http://{}/file.mp4", self.address)
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    mut connection: TcpStream,
    file: Arc<Vec<u8>>,
    manner: SendFault,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(connection.read_u8().await?);
    }
    if matches!(manner, SendFault::Close) {
        return connection.shutdown().await;
    }
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", file.len());
    connection.write_all(head.as_bytes()).await?;
    match manner {
        SendFault::Close => {}
        SendFault::BreakOff => connection.write_all(&file[..file.len() / 2]).await?,
        SendFault::Drip => {
            let mut pace = tokio::time::interval(Duration::from_millis(20));
            for byte in file.iter() {
                pace.tick().await;
                connection.write_u8(*byte).await?;
            }
        }
    }
    connection.shutdown().await
}

/// When a connection is closed.
#[derive(Debug, Clone, Copy)]
enum Cut {
    /// Before the server hears of it.
    Before,
    /// After the server has answered, when the client has so many bytes of that.
    After(usize),
    /// Never: the server hears of nothing, and the client waits.
    Never,
}

/// Stands before a real server and closes a connection when what is sent over it is to fail. Ends with the value.
pub struct Saboteur {
    address: SocketAddr,
    cuts: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Saboteur {
    /// `fails` sees every chunk that a client sends: of a small request, its head. The server never gets it.
    pub async fn before(
        server: &str,
        fails: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self::stand(server, move |sent| fails(sent).then_some(Cut::Before)).await
    }

    /// The same, but the server gets it and does it; only its answer is lost.
    pub async fn after(server: &str, fails: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        Self::stand(server, move |sent| fails(sent).then_some(Cut::After(0))).await
    }

    /// The same, but so many bytes of the answer get through as `limit` says; none: all of them.
    pub async fn midway(
        server: &str,
        limit: impl Fn(&str) -> Option<usize> + Send + Sync + 'static,
    ) -> Self {
        Self::stand(server, move |sent| limit(sent).map(Cut::After)).await
    }

    /// Closes nothing, but gives no answer.
    pub async fn silent(
        server: &str,
        fails: impl Fn(&str) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self::stand(server, move |sent| fails(sent).then_some(Cut::Never)).await
    }

    async fn stand(
        server: &str,
        fails: impl Fn(&str) -> Option<Cut> + Send + Sync + 'static,
    ) -> Self {
        let server = server.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (cuts, fails) = (Arc::new(AtomicUsize::new(0)), Arc::new(fails));
        let counted = cuts.clone();
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (server, fails, cuts) = (server.clone(), fails.clone(), counted.clone());
                tokio::spawn(async move {
                    let server = TcpStream::connect(server).await?;
                    relay(client, server, &*fails, &cuts).await
                });
            }
        });
        Self {
            address,
            cuts,
            task,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How often it struck.
    pub fn cuts(&self) -> usize {
        self.cuts.load(Ordering::Relaxed)
    }
}

impl Drop for Saboteur {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn relay(
    mut client: TcpStream,
    mut server: TcpStream,
    fails: &(dyn Fn(&str) -> Option<Cut> + Send + Sync),
    cuts: &AtomicUsize,
) -> std::io::Result<()> {
    let (mut from_client, mut to_client) = client.split();
    let (mut from_server, mut to_server) = server.split();
    // How much of the answers gets through.
    let allowed = AtomicUsize::new(usize::MAX);
    let up = async {
        let mut chunk = vec![0; 64 << 10];
        loop {
            let length = from_client.read(&mut chunk).await?;
            if length == 0 {
                return Ok(());
            }
            if let Some(cut) = fails(&String::from_utf8_lossy(&chunk[..length])) {
                cuts.fetch_add(1, Ordering::Relaxed);
                match cut {
                    Cut::Before => return Ok(()),
                    Cut::After(bytes) => allowed.store(bytes, Ordering::Relaxed),
                    Cut::Never => std::future::pending().await,
                }
            }
            to_server.write_all(&chunk[..length]).await?;
        }
    };
    let down = async {
        let mut chunk = vec![0; 64 << 10];
        loop {
            let length = from_server.read(&mut chunk).await?;
            let left = allowed.load(Ordering::Relaxed);
            let passed = length.min(left);
            to_client.write_all(&chunk[..passed]).await?;
            if length == 0 || passed == left {
                return Ok(());
            }
            if left < usize::MAX {
                allowed.store(left - passed, Ordering::Relaxed);
            }
        }
    };
    // Whichever side ends first ends the other.
    tokio::select! {
        ended = up => ended,
        ended = down => ended,
    }
}

/// Running processes whose command line holds `text`.
pub fn processes_naming(text: &str) -> usize {
    ids_naming(text).len()
}

/// Kills them; how many.
pub fn kill_processes_naming(text: &str) -> usize {
    let ids = ids_naming(text);
    for id in &ids {
        let killed = std::process::Command::new("kill")
            .args(["-KILL", id])
            .status();
        assert!(killed.unwrap().success());
    }
    ids.len()
}

fn ids_naming(text: &str) -> Vec<String> {
    let named = |entry: std::fs::DirEntry| {
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        let names = String::from_utf8_lossy(&line).contains(text);
        names.then(|| entry.file_name().to_string_lossy().into_owned())
    };
    let entries = std::fs::read_dir("/proc").unwrap();
    entries.filter_map(|entry| named(entry.ok()?)).collect()
}
