//! The attacks: each goes on until it is told to end.

use std::time::Duration;

use futures::{FutureExt as _, future::BoxFuture};
use testkit::{Client, System, media};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

use crate::uploads;

/// An attack by its name in the table.
pub struct Attack {
    pub name: &'static str,
    /// `http.max_connections` of the system that is attacked; none: the default.
    pub max_connections: Option<u32>,
    /// Whether the other user also publishes meanwhile, with the file before the token.
    pub with_uploads: bool,
    pub begin: fn(&System) -> BoxFuture<'_, Running>,
}

/// One that is going on.
pub struct Running(JoinSet<()>);

impl Running {
    pub fn new(tasks: JoinSet<()>) -> Self {
        Self(tasks)
    }

    pub async fn end(mut self) {
        self.0.shutdown().await;
    }
}

const ATTACK: Attack = Attack {
    name: "",
    max_connections: None,
    with_uploads: false,
    begin: logins,
};

pub const ALL: [Attack; 13] = [
    Attack {
        name: "50 logins in flight",
        begin: logins,
        ..ATTACK
    },
    Attack {
        name: "500 idle connections",
        begin: idle_connections,
        ..ATTACK
    },
    Attack {
        name: "100 clients that send a byte of header a second",
        begin: slow_heads,
        ..ATTACK
    },
    Attack {
        name: "a chunked body of 10 GB",
        begin: endless_body,
        ..ATTACK
    },
    Attack {
        name: "20 uploads of 8 MiB at once",
        begin: whole_uploads,
        ..ATTACK
    },
    Attack {
        name: "3 forms of endless text parts",
        begin: uploads::endless_texts,
        ..ATTACK
    },
    Attack {
        name: "3 forms with an endless part header",
        begin: uploads::endless_part_header,
        ..ATTACK
    },
    Attack {
        name: "8 anonymous uploads that drip, for 8 spool slots",
        with_uploads: true,
        begin: uploads::full_spool,
        ..ATTACK
    },
    Attack {
        name: "20 refused bodies without an end",
        begin: uploads::endless_refused,
        ..ATTACK
    },
    Attack {
        name: "60 bodies of a byte every 9 s, for 50 connections",
        max_connections: Some(50),
        begin: uploads::slow_bodies,
        ..ATTACK
    },
    Attack {
        name: "500 slow uploads from one address, for 200 connections",
        max_connections: Some(200),
        begin: uploads::slow_uploads_from_one_address,
        ..ATTACK
    },
    Attack {
        name: "500 slow uploads from 500 addresses, for 200 connections",
        max_connections: Some(200),
        begin: uploads::slow_uploads_from_many_addresses,
        ..ATTACK
    },
    Attack {
        name: "200 slow uploads of 20 users, for 200 connections",
        max_connections: Some(200),
        with_uploads: true,
        begin: uploads::slow_uploads_of_users,
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

fn whole_uploads(system: &System) -> BoxFuture<'_, Running> {
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

pub fn address(system: &System) -> String {
    system.http().trim_start_matches("http://").to_owned()
}

pub async fn connect(address: &str) -> TcpStream {
    loop {
        match TcpStream::connect(address).await {
            Ok(connection) => return connection,
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}
