//! Slow, idle and too many connections, over real sockets.

use std::{
    io,
    sync::atomic::{AtomicUsize, Ordering},
};

use ::http::Response;
use http_body_util::Full;
use hyper::body::Bytes;
use testkit::eventually;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::Semaphore as Gate,
};

use super::*;

mod pressure;

/// By when something that is to happen has happened, on a busy machine.
const SOON: Duration = Duration::from_secs(20);
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n";
const TIMEOUTS: Timeouts = Timeouts {
    receive: Duration::from_millis(400),
    idle: Duration::from_millis(1200),
    send: Duration::from_millis(400),
    body: super::TIMEOUTS.body,
    first_head: super::TIMEOUTS.first_head,
    recent: Duration::ZERO,
};

struct Server {
    address: SocketAddr,
    closer: Closer,
    all: Arc<Connections>,
    /// Requests that may be answered: each takes one.
    gate: Arc<Gate>,
    begun: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

/// Answers each request with `body` as soon as the gate lets it.
fn server(max: u32, timeouts: Timeouts, body: &'static [u8]) -> Server {
    let (listener, closer) = Listener::bind(([127, 0, 0, 1], 0).into(), false).unwrap();
    let address = listener.address();
    let all = Connections::with(max, timeouts, Vec::new(), 0);
    let gate = Arc::new(Gate::new(0));
    let begun = Arc::new(AtomicUsize::new(0));
    let (waits, count) = (gate.clone(), begun.clone());
    let handler = move |_peer, _request| {
        let (waits, count) = (waits.clone(), count.clone());
        async move {
            count.fetch_add(1, Ordering::SeqCst);
            waits.acquire().await.unwrap().forget();
            Response::new(Full::new(Bytes::from_static(body)))
        }
    };
    let serve = move |connection| http::serve(connection, handler.clone());
    let task = tokio::spawn(all.clone().serve(listener, serve));
    Server {
        address,
        closer,
        all,
        gate,
        begun,
        task,
    }
}

impl Server {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn until_open(&self, count: usize) {
        eventually(SOON, &format!("{count} open connections"), async || {
            (self.all.open().len() == count).then_some(())
        })
        .await;
    }

    async fn until_begun(&self, count: usize) {
        eventually(SOON, "a request that is worked on", async || {
            (self.begun.load(Ordering::SeqCst) == count).then_some(())
        })
        .await;
    }
}

/// Until the other side has closed.
async fn is_closed(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    let read = tokio::time::timeout(SOON, stream.read_to_end(&mut rest)).await;
    matches!(read, Ok(Ok(_) | Err(_)))
}

async fn answer(stream: &mut TcpStream) -> io::Result<String> {
    let mut text = vec![0; 1024];
    let length = tokio::time::timeout(SOON, stream.read(&mut text))
        .await
        .unwrap()?;
    text.truncate(length);
    Ok(String::from_utf8(text).unwrap())
}

#[tokio::test]
async fn a_head_that_comes_byte_by_byte_and_a_connection_that_says_nothing_are_cut() {
    let server = server(10, TIMEOUTS, b"well");
    let mut silent = server.connect().await;
    let mut slow = server.connect().await;
    let (mut reading, mut writing) = slow.split();
    let send = async {
        loop {
            // An error: it was cut.
            if writing.write_all(b"G").await.is_err() {
                break;
            }
            tokio::time::sleep(TIMEOUTS.receive / 20).await;
        }
    };
    let mut rest = Vec::new();
    tokio::select! {
        () = send => {}
        _ = reading.read_to_end(&mut rest) => {}
    }
    assert!(is_closed(&mut silent).await);
    server.until_open(0).await;
    assert_eq!(server.begun.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_kept_connection_outlives_the_time_of_a_head_and_ends_with_that_of_idleness() {
    let server = server(10, TIMEOUTS, b"well");
    server.gate.add_permits(2);
    let mut stream = server.connect().await;
    for _ in 0..2 {
        stream.write_all(REQUEST).await.unwrap();
        assert!(answer(&mut stream).await.unwrap().ends_with("well"));
        // Longer than a head may take.
        tokio::time::sleep(TIMEOUTS.receive + TIMEOUTS.receive / 4).await;
    }
    assert!(is_closed(&mut stream).await);
    server.until_open(0).await;
}

#[tokio::test]
async fn an_answer_that_nobody_reads_is_given_up() {
    static LONG: [u8; 64 << 20] = [0; 64 << 20];
    let server = server(10, TIMEOUTS, &LONG);
    server.gate.add_permits(1);
    let mut stream = server.connect().await;
    stream.write_all(REQUEST).await.unwrap();
    server.until_begun(1).await;
    server.until_open(0).await;
}

#[tokio::test]
async fn one_more_than_fit_takes_the_place_of_the_one_that_is_idle_for_longest() {
    let patient = Timeouts {
        receive: SOON * 2,
        idle: SOON * 2,
        send: SOON * 2,
        ..TIMEOUTS
    };
    let server = server(2, patient, b"well");
    let mut working = server.connect().await;
    working.write_all(REQUEST).await.unwrap();
    server.until_begun(1).await;
    let mut idle = server.connect().await;
    server.until_open(2).await;
    let mut third = server.connect().await;
    assert!(is_closed(&mut idle).await);
    third.write_all(REQUEST).await.unwrap();
    server.until_begun(2).await;
    // All work now: one more has to wait, and none of them is cut.
    let mut fourth = server.connect().await;
    fourth.write_all(REQUEST).await.unwrap();
    server.gate.add_permits(3);
    for stream in [&mut working, &mut third, &mut fourth] {
        assert!(answer(stream).await.unwrap().ends_with("well"));
    }
}

#[tokio::test]
async fn what_is_under_way_at_the_close_is_answered_and_then_all_is_over() {
    let server = server(10, TIMEOUTS, b"well");
    let mut working = server.connect().await;
    working.write_all(REQUEST).await.unwrap();
    server.until_begun(1).await;
    server.closer.close();
    eventually(SOON, "refused connections", async || {
        TcpStream::connect(server.address)
            .await
            .is_err()
            .then_some(())
    })
    .await;
    server.gate.add_permits(1);
    assert!(answer(&mut working).await.unwrap().ends_with("well"));
    assert!(is_closed(&mut working).await);
    tokio::time::timeout(SOON, server.task)
        .await
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn a_head_that_is_too_long_is_answered_431() {
    let server = server(10, TIMEOUTS, b"well");
    let mut stream = server.connect().await;
    // As much as is read: what stays unread would reset the connection.
    let mut head = b"GET / HTTP/1.1\r\nHost: test\r\nx-long: ".to_vec();
    head.resize(16 << 10, b'x');
    stream.write_all(&head).await.unwrap();
    let reply = answer(&mut stream).await.unwrap();
    assert!(reply.starts_with("HTTP/1.1 431"), "{reply}");
    assert_eq!(server.begun.load(Ordering::SeqCst), 0);
}
