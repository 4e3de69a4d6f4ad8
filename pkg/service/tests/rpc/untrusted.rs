//! Messages of strangers, which are decoded before a proof is checked: they cost their connection, and nobody else anything.

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use echo::SERVICE;
use idl::base::Code;
use testkit::{Etcd, eventually};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::{
    process::spawn,
    support::{SOON, ask, client, serve, until_registered},
    wire::{CALL, Message, REPLY},
};

const STRUCT: u8 = 12;
const LIST: u8 = 15;
const MAP: u8 = 13;
const I64: u8 = 10;

fn message(method: &str, body: Vec<u8>) -> Message {
    Message {
        headers: BTreeMap::new(),
        integers: BTreeMap::new(),
        kind: CALL,
        method: method.to_owned(),
        sequence: 1,
        body,
    }
}

async fn bytes_of(message: &Message) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.write(&mut bytes).await;
    bytes
}

/// A `login` whose name and password are these bytes.
fn login(name: &[u8], password: &[u8]) -> Message {
    let text = |id: u8, text: &[u8]| {
        let length = (text.len() as u32).to_be_bytes();
        [&[11, 0, id], &length[..], text].concat()
    };
    let body = [
        vec![STRUCT, 0, 1],
        text(1, name),
        text(2, password),
        vec![0, 0],
    ];
    message("login", body.concat())
}

fn replaced(bytes: &[u8], part: &[u8], by: &[u8]) -> Vec<u8> {
    let at = bytes.windows(part.len()).position(|at| at == part);
    let (before, rest) = bytes.split_at(at.unwrap());
    [before, by, &rest[part.len()..]].concat()
}

/// What is answered until the connection is closed.
async fn answer_until_closed(address: SocketAddr, sent: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // It may be closed before all is sent.
    let _ = stream.write_all(sent).await;
    let mut answer = Vec::new();
    let closed = timeout(SOON, stream.read_to_end(&mut answer)).await;
    let _ = closed.expect("the connection stays open");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_no_client_sends_closes_its_connection_and_the_process_goes_on() {
    let etcd = Etcd::start().await;
    let process = spawn(&etcd);
    until_registered(&etcd, SERVICE, 1).await;
    let address = process.address().await;
    let client = client(&etcd).await;

    let count = i32::MAX.to_be_bytes();
    let list = [&[STRUCT, 0, 1, LIST, 0, 1, I64][..], &count, &[0, 0]].concat();
    let map = [&[STRUCT, 0, 1, MAP, 0, 9, I64, STRUCT][..], &count, &[0, 0]].concat();
    let nested = [STRUCT, 0, 9].repeat(100_000);
    let header_only = [&(1_u32 << 31).to_be_bytes()[..], &[0x10, 0, 0, 0]].concat();
    // More than any request has.
    let frame_only = [&((9_i32 << 20) + 1).to_be_bytes()[..], &[0x80, 1, 0, CALL]].concat();
    let unframed = [
        &[0x80, 1, 0, CALL, 0, 0, 0, 5][..],
        b"login",
        &[0, 0, 0, 1],
        &login(b"-", b"-").body,
    ]
    .concat();
    // A frame in the other protocol of thrift.
    let compact = [&[0, 0, 0, 20, 0x82, 0x21, 1, 5][..], b"login", &[0; 9]].concat();
    let reply = Message {
        kind: REPLY,
        ..login(b"-", b"-")
    };
    let mut marked = login(b"-", b"-");
    marked.headers = [("RPC_TRANSIENT_X".to_owned(), "text".to_owned())].into();
    let marked = bytes_of(&marked).await;
    let not_utf8 = replaced(&marked, b"text", b"te\xff\xfe");
    // A header that is longer than all of them, and a name that is longer than the message.
    let long_header = replaced(&marked, b"\0\x04text", b"\x7f\x04text");
    let long_name = replaced(&marked, b"\0\0\0\x05login", b"\x7f\0\0\x05login");
    for (sent, reason) in [
        (
            bytes_of(&message("mget_users", list)).await,
            "a declared length exceeds the message",
        ),
        (
            bytes_of(&message("mget_users", map)).await,
            "a declared length exceeds the message",
        ),
        (
            bytes_of(&message("login", nested)).await,
            "cannot parse past",
        ),
        (header_only, "a message that is too long"),
        (frame_only, "exceeds max frame size"),
        (
            unframed,
            "neither TTHeader nor a frame of the binary protocol",
        ),
        (
            compact,
            "neither TTHeader nor a frame of the binary protocol",
        ),
        (bytes_of(&reply).await, "no call of the binary protocol"),
        (long_name, "no call of the binary protocol"),
        (not_utf8, "a TTHeader that can't be read"),
        (long_header, "a TTHeader that can't be read"),
    ] {
        let refusals = || {
            let lines = process.log_lines();
            let warned = lines.iter().filter(|line| {
                let line = line.to_string();
                line.contains("connection closed: no call") && line.contains(reason)
            });
            warned.count()
        };
        let before = refusals();
        let answer = answer_until_closed(address, &sent).await;
        assert_eq!(answer, b"", "{reason}");
        eventually(SOON, reason, async || {
            (refusals() == before + 1).then_some(())
        })
        .await;
        ask(&client, "-").await.expect(reason);
    }
    assert_eq!(process.exit_status(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_with_a_string_that_is_not_utf8_is_refused_and_its_connection_kept() {
    let etcd = Etcd::start().await;
    let (running, echo) = serve(&etcd, SERVICE, "nobody").await;
    let mut stream = TcpStream::connect(running.address()).await.unwrap();
    let mut status = async |call: Message| {
        call.write(&mut stream).await;
        let answer = timeout(Duration::from_secs(20), Message::read(&mut stream)).await;
        let mut answer = answer.unwrap().expect("the connection was closed");
        answer.headers.remove("biz-status")
    };
    let refused = Some(Code::BAD_PARAMETER.inner().to_string());
    assert_eq!(status(login(b"\xff\xfe", b"-")).await, refused);
    assert_eq!(status(login(b"ab\xc3", b"-")).await, refused);
    assert_eq!(status(login(b"-", b"\xed\xa0\x80")).await, refused);
    assert_eq!(echo.executed(), 0);
    assert_eq!(status(login("é".as_bytes(), b"-")).await, None);
    assert_eq!(echo.executed(), 1);
}
