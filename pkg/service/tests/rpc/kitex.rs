//! What Kitex's clients and servers rely on, byte by byte; idl/kitex has both in Go.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use echo::{SERVICE, login};
use idl::{base::Code, user::UserServiceClientBuilder};
use pilota::FastStr;
use service::RpcError;
use telemetry::cost::{self, Cost};
use testkit::Etcd;
use tokio::net::{TcpListener, TcpStream};
use volo_thrift::{ClientError, codec::DefaultMakeCodec};

use crate::{
    support::{LIMIT, ask, client, register, serve, until_registered},
    wire::{CALL, EMPTY_STRUCT, EXCEPTION, FROM_SERVICE, Message, REPLY, RPC_TIMEOUT, TO_METHOD},
};

/// A `login` as a client in another language sends it.
fn asked(what: &str, sequence: u32) -> Message {
    let text = |id: u8, text: &str| {
        let mut field = vec![11, 0, id];
        field.extend((text.len() as u32).to_be_bytes());
        field.extend(text.as_bytes());
        field
    };
    // The arguments hold one struct, which holds two strings.
    let body = [vec![12, 0, 1], text(1, what), text(2, "-"), vec![0, 0]];
    Message {
        headers: BTreeMap::new(),
        integers: BTreeMap::new(),
        kind: CALL,
        method: "login".to_owned(),
        sequence,
        body: body.concat(),
    }
}

/// The answers to these, one after the other on one connection.
async fn answers<const N: usize>(address: SocketAddr, asked_for: [&str; N]) -> [Message; N] {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut answers = Vec::new();
    for (sequence, what) in asked_for.into_iter().enumerate() {
        let sequence = sequence as u32 + 1;
        asked(what, sequence).write(&mut stream).await;
        let answer = Message::read(&mut stream).await.expect(what);
        assert_eq!(
            (answer.method.as_str(), answer.sequence),
            ("login", sequence)
        );
        answers.push(answer);
    }
    answers.try_into().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_a_reply_with_an_empty_result_and_the_error_in_its_headers() {
    let etcd = Etcd::start().await;
    let (running, _echo) = serve(&etcd, SERVICE, "nobody").await;
    let [refused, panicked, invalid, done] =
        answers(running.address(), ["refuse", "panic", "", "sql 3"]).await;
    for (answer, code, message) in [
        (&refused, Code::NAME_TAKEN, "taken"),
        (&panicked, Code::INTERNAL, "the service failed"),
        (&invalid, Code::BAD_PARAMETER, "username: at least 1 byte"),
    ] {
        assert_eq!(
            (answer.kind, &*answer.body),
            (REPLY, EMPTY_STRUCT),
            "{answer:?}"
        );
        assert_eq!(answer.headers["biz-status"], code.inner().to_string());
        assert_eq!(answer.headers["biz-message"], message);
    }
    assert_eq!(refused.headers.get("biz-extra"), None);
    let extra: BTreeMap<String, String> =
        serde_json::from_str(&invalid.headers["biz-extra"]).unwrap();
    let expected = [("field", "username"), ("limit", "1"), ("rule", "min_size")];
    assert!(
        extra.iter().map(|(k, v)| (&**k, &**v)).eq(expected),
        "{extra:?}"
    );

    assert_eq!(done.kind, REPLY);
    assert_ne!(done.body, EMPTY_STRUCT);
    assert!(
        !done.headers.keys().any(|key| key.starts_with("biz-")),
        "{done:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cost_goes_back_under_the_prefix_of_what_goes_back() {
    let etcd = Etcd::start().await;
    let (running, _echo) = serve(&etcd, SERVICE, "nobody").await;
    let [done, refused] = answers(running.address(), ["sql 3", "refuse"]).await;
    assert_eq!(done.headers["RPC_BACKWARD_COST"], "0,3");
    assert_eq!(refused.headers["RPC_BACKWARD_COST"], "0,0");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_without_those_headers_is_refused_by_an_exception() {
    let etcd = Etcd::start().await;
    let (running, _echo) = serve(&etcd, SERVICE, "nobody").await;
    let framed = UserServiceClientBuilder::new(SERVICE)
        .make_codec(DefaultMakeCodec::framed())
        .address(running.address())
        .build();
    let error = framed.login(login("refuse")).await.unwrap_err();
    let ClientError::Application(error) = error else {
        panic!("{error:?}");
    };
    assert!(error.message().contains("10005"), "{error}");
}

/// An instance that answers every call in this way.
struct Answering {
    connections: Arc<AtomicUsize>,
    _registration: registry::Registration,
}

impl Answering {
    async fn register(
        etcd: &Etcd,
        kind: u8,
        body: &'static [u8],
        headers: &[(&str, &str)],
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let registration = register(etcd, listener.local_addr().unwrap()).await;
        let connections = Arc::new(AtomicUsize::new(0));
        let headers: BTreeMap<String, String> = headers
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let count = connections.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let headers = headers.clone();
                tokio::spawn(async move {
                    while let Some(call) = Message::read(&mut stream).await {
                        let answer = Message {
                            headers: headers.clone(),
                            integers: BTreeMap::new(),
                            kind,
                            body: body.to_vec(),
                            ..call
                        };
                        answer.write(&mut stream).await;
                    }
                });
            }
        });
        Self {
            connections,
            _registration: registration,
        }
    }
}

/// As Kitex's servers refuse.
const REFUSED: [(&str, &str); 4] = [
    ("biz-status", "10005"),
    ("biz-message", "taken"),
    ("biz-extra", r#"{"why":"so"}"#),
    ("RPC_BACKWARD_COST", "1,2"),
];

async fn assert_refused_on_one_connection(kind: u8, body: &'static [u8]) {
    let etcd = Etcd::start().await;
    let instance = Answering::register(&etcd, kind, body, &REFUSED).await;
    until_registered(&etcd, SERVICE, 1).await;
    let client = client(&etcd).await;
    for _ in 0..3 {
        let (answer, cost) = cost::scope(ask(&client, "-")).await;
        let Err(RpcError::Biz(error)) = answer else {
            panic!("{answer:?}");
        };
        assert_eq!(
            (idl::code(&error), &*error.status_message),
            (Code::NAME_TAKEN, "taken")
        );
        let why = error.extra.as_ref().and_then(|extra| extra.get("why"));
        assert_eq!(why.map(FastStr::as_str), Some("so"));
        // The call itself, and what the instance says.
        assert_eq!(cost, Cost { rpcs: 2, sql: 2 });
    }
    assert_eq!(instance.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_with_an_empty_result_is_read_and_the_connection_kept() {
    assert_refused_on_one_connection(REPLY, EMPTY_STRUCT).await;
}

/// As the version before answers during a roll-out: an exception with a message and a kind.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_as_an_exception_is_read_too() {
    let exception = b"\x0b\0\x01\0\0\0\x05taken\x08\0\x02\0\0\0\x06\0";
    assert_refused_on_one_connection(EXCEPTION, exception).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_result_without_a_refusal_is_an_error() {
    let etcd = Etcd::start().await;
    let _instance = Answering::register(&etcd, REPLY, EMPTY_STRUCT, &[]).await;
    until_registered(&etcd, SERVICE, 1).await;
    let error = ask(&client(&etcd).await, "-").await.unwrap_err();
    assert!(matches!(error, RpcError::Internal), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_callee_knows_from_kitexs_own_header_for_how_long_its_caller_waits() {
    let etcd = Etcd::start().await;
    let (running, _echo) = serve(&etcd, SERVICE, "nobody").await;
    let mut stream = TcpStream::connect(running.address()).await.unwrap();
    let mut patience = async |header: Option<&str>| {
        let mut call = asked("patience", 1);
        call.integers = header
            .map(|ms| (RPC_TIMEOUT, ms.to_owned()))
            .into_iter()
            .collect();
        call.write(&mut stream).await;
        let answer = Message::read(&mut stream).await.unwrap();
        // The result is a struct whose first field is the number.
        i64::from_be_bytes(answer.body[6..14].try_into().unwrap())
    };
    assert_eq!(patience(None).await, -1);
    let patience_ms = patience(Some("60000")).await;
    assert!((1..=60_000).contains(&patience_ms), "{patience_ms}");
    // That was for one call.
    assert_eq!(patience(None).await, -1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_says_who_calls_what_and_for_how_long_it_waits() {
    let etcd = Etcd::start().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let _registration = register(&etcd, listener.local_addr().unwrap()).await;
    until_registered(&etcd, SERVICE, 1).await;
    let client = client(&etcd).await;
    let call = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        Message::read(&mut stream).await.unwrap()
    };
    let (call, _) = tokio::join!(call, ask(&client, "-"));
    let limit_ms = LIMIT.as_millis().to_string();
    for (header, value) in [
        (FROM_SERVICE, "test"),
        (TO_METHOD, "login"),
        (RPC_TIMEOUT, &*limit_ms),
    ] {
        assert_eq!(call.integers[&header], value, "{header}");
    }
}
