//! The attacks by uploads: strangers who send forms that never end, that hold memory or places, or that nobody wants.
//!
//! They come from addresses of their own, as strangers do; the other user has 127.0.0.1.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use futures::{FutureExt as _, future::BoxFuture};
use testkit::System;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
};

use crate::attacks::{Running, address};

const HEAD: &str = "POST /douyin/publish/action/ HTTP/1.1\r\nhost: test\r\ncontent-type: multipart/form-data; boundary=b\r\n";
const CHUNKED: &str = "transfer-encoding: chunked\r\n\r\n";
/// Far more than is ever sent of it.
const LENGTH: &str = "content-length: 200000000\r\n\r\n";
const FILE: &str =
    "--b\r\ncontent-disposition: form-data; name=\"data\"; filename=\"a.mp4\"\r\n\r\n";

/// Where the attackers are.
fn attacker(n: u8) -> IpAddr {
    Ipv4Addr::new(127, 66, 0, n).into()
}

/// Each of `sources` does `attack` on a connection, over and over.
fn from_each<F>(
    system: &System,
    sources: impl IntoIterator<Item = IpAddr>,
    attack: impl Fn(TcpStream) -> F + Clone + Send + 'static,
) -> Running
where
    F: Future<Output = ()> + Send,
{
    let server: SocketAddr = address(system).parse().unwrap();
    let mut running = JoinSet::new();
    for source in sources {
        let attack = attack.clone();
        running.spawn(async move {
            loop {
                let socket = TcpSocket::new_v4().unwrap();
                socket.set_reuseaddr(true).unwrap();
                socket.bind((source, 0).into()).unwrap();
                match socket.connect(server).await {
                    Ok(connection) => attack(connection).await,
                    Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
                }
            }
        });
    }
    Running::new(running)
}

/// Sends `begin`, then `more` again and again, with `pause` between, until the connection ends.
async fn send(connection: TcpStream, begin: String, more: Vec<u8>, pause: Duration) {
    send_with(connection, begin, &[], more, pause).await;
}

/// As [`send`], with `first` behind `begin`.
async fn send_with(
    connection: TcpStream,
    begin: String,
    first: &[u8],
    more: Vec<u8>,
    pause: Duration,
) {
    let (mut answer, mut request) = connection.into_split();
    let write = async {
        let mut sent = request.write_all(begin.as_bytes()).await;
        if sent.is_ok() {
            sent = request.write_all(first).await;
        }
        while sent.is_ok() {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            sent = request.write_all(&more).await;
        }
    };
    let read = async {
        // Whatever the answer is; it goes on until the server closes.
        let mut some = [0; 4096];
        while answer.read(&mut some).await.is_ok_and(|length| length > 0) {}
    };
    tokio::select! {
        () = write => {}
        () = read => {}
    }
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    let length = format!("{:x}\r\n", bytes.len());
    [length.as_bytes(), bytes, b"\r\n"].concat()
}

pub fn endless_texts(system: &System) -> BoxFuture<'_, Running> {
    async {
        let mut part = b"--b\r\ncontent-disposition: form-data; name=\"more\"\r\n\r\n".to_vec();
        part.extend([b'x'; 60 << 10]);
        part.extend(b"\r\n");
        let part = chunk(&part);
        from_each(system, [attacker(1); 3], move |connection| {
            send(
                connection,
                format!("{HEAD}{CHUNKED}"),
                part.clone(),
                Duration::ZERO,
            )
        })
    }
    .boxed()
}

pub fn endless_part_header(system: &System) -> BoxFuture<'_, Running> {
    async {
        let begin = chunk(b"--b\r\nx-more: ");
        let begin = String::from_utf8(begin).unwrap();
        let more = chunk(&[b'x'; 16 << 10]);
        from_each(system, [attacker(1); 3], move |connection| {
            let begin = format!("{HEAD}{CHUNKED}{begin}");
            send(connection, begin, more.clone(), Duration::ZERO)
        })
    }
    .boxed()
}

/// A little faster than they have to be.
pub fn full_spool(system: &System) -> BoxFuture<'_, Running> {
    async {
        from_each(system, [attacker(1); 8], |connection| {
            let begin = format!("{HEAD}{LENGTH}{FILE}");
            send(connection, begin, vec![0; 9 << 10], Duration::from_secs(1))
        })
    }
    .boxed()
}

pub fn endless_refused(system: &System) -> BoxFuture<'_, Running> {
    async {
        let more = chunk(&[0; 64 << 10]);
        from_each(system, [attacker(1); 20], move |connection| {
            let begin = format!("{HEAD}authorization: Bearer not.a.token\r\n{CHUNKED}");
            send(connection, begin, more.clone(), Duration::ZERO)
        })
    }
    .boxed()
}

pub fn slow_bodies(system: &System) -> BoxFuture<'_, Running> {
    async {
        from_each(system, [attacker(1); 60], |connection| {
            let begin = format!("{HEAD}{LENGTH}-");
            send(connection, begin, vec![b'-'], Duration::from_secs(9))
        })
    }
    .boxed()
}

pub fn slow_uploads_from_one_address(system: &System) -> BoxFuture<'_, Running> {
    async { slow_uploads(system, [attacker(1); 500]) }.boxed()
}

pub fn slow_uploads_from_many_addresses(system: &System) -> BoxFuture<'_, Running> {
    let address = |n: u8, block: u8| IpAddr::from(Ipv4Addr::new(127, 66, block, n));
    async move {
        let addresses = (1..=2).flat_map(|block| (1..=250).map(move |n| address(n, block)));
        slow_uploads(system, addresses)
    }
    .boxed()
}

/// Each sends most of a part at once, so that it lies in memory, and goes on a little faster than it has to.
pub fn slow_uploads_of_users(system: &System) -> BoxFuture<'_, Running> {
    const USERS: u8 = 20;
    static FIRST: [u8; 4 << 20] = [0; 4 << 20];
    async {
        let mut tokens = Vec::new();
        for _ in 0..USERS {
            tokens.push(system.client().new_account().await.token);
        }
        let sources = (1..=USERS).flat_map(|n| [attacker(n); 10]);
        from_each(system, sources, move |connection| {
            let IpAddr::V4(source) = connection.local_addr().unwrap().ip() else {
                panic!("an address of IPv6");
            };
            let token = &tokens[usize::from(source.octets()[3]) - 1];
            let begin = format!("{HEAD}authorization: Bearer {token}\r\n{LENGTH}{FILE}");
            send_with(
                connection,
                begin,
                &FIRST,
                vec![0; 9 << 10],
                Duration::from_secs(1),
            )
        })
    }
    .boxed()
}

fn slow_uploads(system: &System, sources: impl IntoIterator<Item = IpAddr>) -> Running {
    from_each(system, sources, |connection| {
        let begin = format!("{HEAD}{LENGTH}{FILE}");
        send(connection, begin, vec![0; 256], Duration::from_secs(1))
    })
}
