//! Replies tell nothing of the system behind them, however a request ends.

use std::time::Duration;

use http::{HeaderMap, header};
use reqwest::Method;
use serde_json::json;
use testkit::{Client, Process, Reply, System, eventually, media};

use crate::{MAX_UPLOAD, raw::Raw, system_builder};

const SOON: Duration = Duration::from_secs(20);
const LOGIN: &str = "/douyin/user/login/";
const LIKE: &str = "/douyin/favorite/action/";
const PUBLISH: &str = "/douyin/publish/action/";

/// Words of SQL, paths, stacks, and names and versions of what we are built from. Compared in lower case.
const INTERNALS: [&str; 31] = [
    "select ",
    "insert ",
    "update ",
    " from ",
    "sqlx",
    "sea_orm",
    "sea-orm",
    "mariadb",
    "mysql",
    "duplicate entry",
    "redis",
    "etcd",
    "seaweed",
    "volo",
    "hyper",
    "thrift",
    "serde",
    "rust",
    "ffmpeg",
    "ffprobe",
    ".rs:",
    "src/",
    "target/",
    "/home",
    "/root",
    "/tmp",
    "panicked",
    "backtrace",
    "127.0.0.1",
    "os error",
    env!("CARGO_PKG_VERSION"),
];

fn assert_tells_nothing(text: &str, what: &str) {
    let lower = text.to_lowercase();
    for internal in INTERNALS {
        assert!(!lower.contains(internal), "{what}: {internal}: {text}");
    }
}

fn assert_names_nobody(headers: &HeaderMap, what: &str) {
    for name in [header::SERVER, header::VIA] {
        assert!(!headers.contains_key(&name), "{what}: {name}");
    }
    assert!(!headers.contains_key("x-powered-by"), "{what}");
    for (name, value) in headers {
        assert_tells_nothing(&format!("{name}: {value:?}"), what);
    }
}

/// A refusal or a failure, as JSON of the contract.
fn assert_closed(reply: &Reply, what: &str) {
    assert_ne!(reply.code(), 0, "{what}: {}", reply.text);
    assert_tells_nothing(&reply.text, what);
    assert_names_nobody(&reply.headers, what);
}

/// Requests that end badly in every way one can think of.
async fn refusals(client: &Client, token: &str) -> Vec<(&'static str, Reply)> {
    let post = |path: &str| client.request(Method::POST, path);
    let typed = |content_type: &'static str, body: Vec<u8>| {
        post(LOGIN).body(body).header("content-type", content_type)
    };
    let form = "application/x-www-form-urlencoded";
    let like = |video_id: &str| {
        post(LIKE).query(&[
            ("token", token),
            ("video_id", video_id),
            ("action_type", "1"),
        ])
    };
    let mut replies = Vec::new();
    for (what, request) in [
        (
            "broken JSON",
            typed("application/json", b"{\"username\": ".to_vec()),
        ),
        (
            "JSON that is no object",
            typed("application/json", b"[1, 2]".to_vec()),
        ),
        (
            "JSON as deep as a well",
            typed("application/json", b"{\"a\":".repeat(10_000)),
        ),
        ("a broken escape", typed(form, b"username=%zz".to_vec())),
        ("a broken encoding", typed(form, b"username=%ff".to_vec())),
        ("bytes that are no text", typed(form, vec![0xff, 0xfe, 0])),
        (
            "a broken encoding in the query",
            post("/douyin/user/login/?username=%ff"),
        ),
        ("no boundary", typed("multipart/form-data", b"--x".to_vec())),
        (
            "a broken form",
            typed("multipart/form-data; boundary=x", b"--x\r\n".to_vec()),
        ),
        (
            "a broken head of a part",
            typed(
                "multipart/form-data; boundary=x",
                b"--x\r\nno head\r\n\r\nx\r\n--x--\r\n".to_vec(),
            ),
        ),
        ("an unknown type", typed("application/xml", b"x".to_vec())),
        (
            "a large body",
            typed("application/json", vec![b' '; (1 << 20) + 1]),
        ),
        (
            "an upload without a file",
            post(PUBLISH).query(&[("token", token)]),
        ),
        (
            "an upload that is no form",
            post(PUBLISH).bearer_auth(token).json(&json!({"data": "x"})),
        ),
        ("a number beyond all", like("99999999999999999999999")),
        ("no number", like("1; DROP TABLE users")),
        ("a video that isn't there", like("999999")),
        ("no route", client.request(Method::GET, "/etc/passwd")),
        (
            "no route, escaped",
            client.request(Method::GET, "/douyin/%2e%2e%2fetc%2fpasswd"),
        ),
        ("another method", client.request(Method::DELETE, LOGIN)),
        (
            "a token of nobody's",
            client
                .request(Method::GET, "/douyin/user/")
                .bearer_auth("a.b.c"),
        ),
        ("no token", client.request(Method::GET, "/douyin/user/")),
        (
            "an odd idempotency key",
            post("/douyin/comment/action/")
                .query(&[
                    ("token", token),
                    ("video_id", "999999"),
                    ("action_type", "1"),
                    ("comment_text", "Well"),
                ])
                .header("idempotency-key", "x".repeat(2000)),
        ),
    ] {
        replies.push((what, client.send(request).await));
    }
    let quote = client.login("' OR 1=1 --", "\u{0}\u{1f}").await;
    replies.push(("SQL in a name", quote));
    // As long as a request's head may be, nearly.
    let long = client.register(&"x".repeat(15_000), "a password").await;
    replies.push(("a long name", long));
    for (what, file) in [
        ("a large file", vec![0; MAX_UPLOAD + 1]),
        ("an empty file", Vec::new()),
        ("a text as a film", media::text()),
        ("half a film", media::cut_short(media::mp4())),
        ("a sound as a film", media::audio_only()),
    ] {
        replies.push((what, client.publish(token, what, file).await));
    }
    replies
}

#[tokio::test(flavor = "multi_thread")]
async fn no_refusal_tells_what_is_behind_it() {
    let system = crate::shared_system().await;
    let client = system.client();
    let account = client.new_account().await;
    let taken = client.register(&account.name, "another password").await;
    assert_closed(&taken, "a name that is taken");
    for (what, reply) in refusals(&client, &account.token).await {
        assert_closed(&reply, what);
    }
    let feed = client.feed(&[]).await;
    assert_names_nobody(&feed.headers, "a success");
}

#[tokio::test]
async fn what_is_no_http_is_answered_without_a_name() {
    let system = crate::shared_system().await;
    let long = "x".repeat(1 << 20);
    let mut answered = 0;
    for (what, request) in [
        ("no HTTP", "EHLO there\r\n\r\n".to_owned()),
        (
            "an overlong path",
            format!("GET /{long} HTTP/1.1\r\nhost: x\r\n\r\n"),
        ),
        (
            "an overlong header",
            format!("GET / HTTP/1.1\r\nhost: x\r\nx-long: {long}\r\n\r\n"),
        ),
        (
            "too many headers",
            format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(1000)),
        ),
        (
            "another version",
            "GET / HTTP/7.3\r\nhost: x\r\n\r\n".to_owned(),
        ),
        (
            "two lengths",
            "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n"
                .to_owned(),
        ),
    ] {
        let mut raw = Raw::connect(system.http()).await;
        raw.send(request.as_bytes()).await;
        let reply = String::from_utf8_lossy(&raw.all().await).into_owned();
        answered += usize::from(reply.starts_with("HTTP/1.1 4"));
        assert!(!reply.starts_with("HTTP/1.1 2"), "{what}: {reply}");
        assert_tells_nothing(&reply, what);
        assert!(
            !reply.to_lowercase().contains("\r\nserver:"),
            "{what}: {reply}"
        );
    }
    // Of some the connection may break before the reply is read.
    assert!(answered >= 2, "{answered}");
}

/// A process of this system that can't reach what these settings name.
fn cut_off(system: &System, service: &str, settings: &[(&str, &str)]) -> Process {
    let mut variables = system.variables().clone();
    for (variable, value) in settings {
        variables.insert(format!("DOUSHENG_{variable}"), (*value).to_owned());
    }
    Process::workspace_binary(service, variables)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_failure_tells_what_is_behind_it() {
    let system = system_builder().start().await;
    let client = system.client();
    let account = client.new_account().await;
    let token = account.token.as_str();

    // An API without an object store.
    let nowhere = [("OBJECT_STORE__ENDPOINT", "http://127.0.0.1:1")];
    let api = cut_off(&system, "api", &nowhere);
    let storeless = Client::new(&format!("http://{}", api.address().await));
    let refused = eventually(SOON, "the store's absence", async || {
        let reply = storeless.publish(token, "Film", media::mp4()).await;
        // Before that it doesn't know the video service yet.
        let log = api.log();
        let is_store =
            |line: &str| line.contains("object store") && line.contains(reply.request_id());
        log.lines().any(is_store).then_some(reply)
    });
    let refused = refused.await;
    assert_eq!(refused.http, 503, "{}", refused.text);
    assert_closed(&refused, "no object store");

    // Users without a database.
    system.instances("user")[0].kill9();
    let nobody = "mysql://an-account:a-password@127.0.0.1:1/a_database";
    let nowhere = [
        ("MYSQL__PRIMARY_URL", nobody),
        ("MYSQL__REPLICA_URLS", nobody),
    ];
    let user = cut_off(&system, "user", &nowhere);
    let refused = eventually(SOON, "the database's absence", async || {
        let reply = client.login(&account.name, &account.password).await;
        user.log().contains(reply.request_id()).then_some(reply)
    });
    let refused = refused.await;
    assert!(refused.http >= 500, "{}", refused.text);
    assert_closed(&refused, "no database");
    user.kill9();

    // No services at all, one after the other.
    for service in ["comment", "favorite", "video"] {
        system.instances(service)[0].kill9();
        for (what, reply) in [
            ("login", client.login(&account.name, "a password").await),
            ("user", client.user(account.user_id, token).await),
            ("feed", client.feed(&[("token", token)]).await),
            ("works", client.works(account.user_id).await),
            ("publish", client.publish(token, "Film", media::mp4()).await),
            ("like", client.like(token, 1).await),
            ("comment", client.comment(token, 1, "Well").await),
            ("comments", client.comments(1).await),
        ] {
            assert_names_nobody(&reply.headers, what);
            if reply.code() != 0 {
                assert_closed(&reply, what);
            }
        }
    }
    let away = client.feed(&[]).await;
    assert_eq!(away.http, 503, "{}", away.text);
    assert_closed(&away, "nobody there");
}
