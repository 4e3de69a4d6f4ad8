//! The attacks: each goes on until it is told to end.

use std::time::Duration;

use futures::{FutureExt as _, future::BoxFuture};
use testkit::{Client, System, media};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

/// An attack by its name in the table.
pub struct Attack {
    pub name: &'static str,
    pub begin: fn(&System) -> BoxFuture<'_, Running>,
}

/// One that is going on.
pub struct Running(JoinSet<()>);

impl Running {
    pub async fn end(mut self) {
        self.0.shutdown().await;
    }
}

pub const ALL: [Attack; 5] = [
    Attack {
        name: "50 logins in flight",
        begin: logins,
    },
    Attack {
        name: "500 idle connections",
        begin: idle_connections,
    },
    Attack {
        name: "100 clients that send a byte of header a second",
        begin: slow_heads,
    },
    Attack {
        name: "a chunked body of 10 GB",
        begin: endless_body,
    },
    Attack {
        name: "20 uploads of 8 MiB at once",
        begin: uploads,
    },
];

fn logins(system: &System) -> BoxFuture<'_, Running> {
    async {
        let mut running = JoinSet::new();
        for n in 0..50 {
            let client = system.client();
            running.spawn(async move {
                loop {
                    client.login(&format!("guess-{n}"), "a guess").await;
                }
            });
        }
        Running(running)
    }
    .boxed()
}

fn idle_connections(system: &System) -> BoxFuture<'_, Running> {
    async {
        let mut running = JoinSet::new();
        for _ in 0..500 {
            let address = address(system);
            running.spawn(async move {
                loop {
                    // Until it is cut; then another one.
                    let mut connection = connect(&address).await;
                    let _ = connection.read(&mut [0]).await;
                }
            });
        }
        Running(running)
    }
    .boxed()
}

fn slow_heads(system: &System) -> BoxFuture<'_, Running> {
    async {
        let mut running = JoinSet::new();
        for _ in 0..100 {
            let address = address(system);
            running.spawn(async move {
                loop {
                    let mut connection = connect(&address).await;
                    for byte in b"GET /douyin/feed/ HTTP/1.1\r\nx-slow: ".iter().cycle() {
                        if connection.write_all(&[*byte]).await.is_err() {
                            break;
                        }
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                }
            });
        }
        Running(running)
    }
    .boxed()
}

/// As fast as it is taken, without end; when it is refused, from the beginning.
fn endless_body(system: &System) -> BoxFuture<'_, Running> {
    async {
        let token = system.client().new_account().await.token;
        let address = address(system);
        let mut running = JoinSet::new();
        running.spawn(async move {
            let head = format!(
                "POST /douyin/publish/action/ HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {token}\r\n\
                 content-type: multipart/form-data; boundary=b\r\ntransfer-encoding: chunked\r\n\r\n"
            );
            let part = "--b\r\ncontent-disposition: form-data; name=\"data\"; filename=\"a.mp4\"\r\n\r\n";
            let film = media::mp4();
            let begin = [part.as_bytes(), &film].concat();
            let mut chunk = format!("{:x}\r\n", 1 << 20).into_bytes();
            chunk.extend(vec![0; 1 << 20]);
            chunk.extend(b"\r\n");
            loop {
                let mut connection = connect(&address).await;
                let first = [format!("{:x}\r\n", begin.len()).as_bytes(), &begin, b"\r\n"].concat();
                let _ = connection.write_all(head.as_bytes()).await;
                let _ = connection.write_all(&first).await;
                for _ in 0..10 << 10 {
                    if connection.write_all(&chunk).await.is_err() {
                        break;
                    }
                }
            }
        });
        Running(running)
    }
    .boxed()
}

fn uploads(system: &System) -> BoxFuture<'_, Running> {
    async {
        let mut running = JoinSet::new();
        let film = media::mp4_of_size(8 << 20);
        for _ in 0..20 {
            let client: Client = system.client();
            let token = client.new_account().await.token;
            let film = film.clone();
            running.spawn(async move {
                loop {
                    client.publish(&token, "Another", film.clone()).await;
                }
            });
        }
        Running(running)
    }
    .boxed()
}

fn address(system: &System) -> String {
    system.http().trim_start_matches("http://").to_owned()
}

async fn connect(address: &str) -> TcpStream {
    loop {
        match TcpStream::connect(address).await {
            Ok(connection) => return connection,
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}
