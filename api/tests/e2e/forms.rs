//! Multipart forms as clients write them, and malformed or oversized ones.

use reqwest::{Method, RequestBuilder};
use testkit::{Client, media};
use tokio::task::JoinSet;

use crate::{raw::Raw, shapes::videos, shared_system, store::assert_empty, system_builder};

const PUBLISH: &str = "/douyin/publish/action/";
const LOGIN: &str = "/douyin/user/login/";
const MIB: usize = 1 << 20;

/// A body of parts with these header blocks and contents.
fn body(boundary: &str, parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (header, content) in parts {
        body.extend(format!("--{boundary}\r\n{header}\r\n\r\n").bytes());
        body.extend(*content);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{boundary}--\r\n").bytes());
    body
}

fn post(client: &Client, path: &str, content_type: &str, body: Vec<u8>) -> RequestBuilder {
    client
        .request(Method::POST, path)
        .header("content-type", content_type)
        .body(body)
}

fn text(name: &str) -> String {
    format!("content-disposition: form-data; name=\"{name}\"")
}

#[tokio::test]
async fn a_film_is_found_however_its_header_is_written() {
    let system = shared_system().await;
    let client = system.client();
    let account = client.new_account().await;
    let dispositions = [
        r#"form-data; filename="my name.mp4"; name="data""#,
        r#"form-data; Name="data"; filename="a.mp4""#,
        r#"FORM-DATA; NAME=data; FileName=my film.mp4"#,
        r#"form-data; filename="a; name=x.mp4"; name="data""#,
        r#"form-data; name="data"; filename="a; name=x.mp4""#,
        r#"form-data; filename="a\"; name=\"x.mp4"; name="data""#,
        r#"form-data; name="data"; filename="C:\films\""#,
        r#"form-data; filename*=UTF-8''%E7%94%B5%3B%20name%3Dx.mp4; name="data""#,
        r#"form-data; name="da\ta"; filename="电影.mp4"; filename*=UTF-8''%E7%94%B5.mp4"#,
        "form-data;\r\n name=\"data\";\r\n\tfilename=\"a.mp4\"",
    ];
    for disposition in dispositions {
        let header = format!("CONTENT-DISPOSITION: {disposition}\r\nContent-Type: video/mp4");
        let (token, title) = (text("token"), text("title"));
        let parts = [
            (token.as_str(), account.token.as_bytes()),
            (title.as_str(), b"A film"),
            (header.as_str(), &media::mp4()),
        ];
        let request = post(
            &client,
            PUBLISH,
            "multipart/form-data; boundary=b",
            body("b", &parts),
        );
        let reply = client.send(request).await;
        assert_eq!(reply.try_code(), Some(0), "{disposition}: {}", reply.text);
    }
    let works = videos(&client.works(account.user_id).await.ok());
    assert_eq!(works.len(), dispositions.len());
    assert!(works.iter().all(|video| video["title"] == "A film"));
}

#[tokio::test]
async fn a_boundary_may_be_quoted_and_hold_an_equals_sign() {
    let system = shared_system().await;
    let client = system.client();
    let account = client.new_account().await;
    let (name, password) = (text("username"), text("password"));
    let parts = [
        (name.as_str(), account.name.as_bytes()),
        (password.as_str(), account.password.as_bytes()),
    ];
    for (written, boundary) in [
        ("----=_Part_1.2", "----=_Part_1.2"),
        ("a==", "a=="),
        ("\"a=b; c\"", "a=b; c"),
        ("\"b\"; charset=utf-8", "b"),
    ] {
        let content_type = format!("multipart/form-data; BOUNDARY={written}");
        let request = post(&client, LOGIN, &content_type, body(boundary, &parts));
        let reply = client.send(request).await;
        assert_eq!(reply.try_code(), Some(0), "{written}: {}", reply.text);
    }
}

#[tokio::test]
async fn a_form_is_refused_for_too_much_beside_its_file() {
    let system = system_builder().start().await;
    let client = system.client();
    let account = client.new_account().await;
    let padding = "x".repeat(MIB);
    let (long, other, token) = (padding.as_bytes(), text("other"), text("token"));
    let whole = body("b", &[(&token, account.token.as_bytes())]);
    let with_header = |bytes: usize| {
        let header = format!("x-padding: {}\r\n{token}", &padding[..bytes]);
        body("b", &[(&header, account.token.as_bytes())])
    };
    let around = |before: &str, after: &str| {
        let whole = String::from_utf8(whole.clone()).unwrap();
        format!("{before}\r\n{whole}{after}").into_bytes()
    };
    let times = |count| body("b", &vec![(other.as_str(), b"x".as_slice()); count]);
    let twice = format!("{token}; name=\"title\"");
    // What is read to its end is refused all the same: there is no title.
    let missing = "title";
    for (what, form, http, code, said) in [
        ("a long preamble", around(&padding, ""), 413, 10011, ""),
        ("a long epilogue", around("", &padding), 413, 10011, ""),
        (
            "both, short",
            around("before", "after"),
            200,
            10001,
            missing,
        ),
        ("a long header", with_header(17 << 10), 413, 10011, ""),
        (
            "a header of a size",
            with_header(15 << 10),
            200,
            10001,
            missing,
        ),
        (
            "a long text",
            body("b", &[(&text("title"), &long[..9 << 10])]),
            200,
            10001,
            "title: has more than 8192 bytes",
        ),
        (
            "texts of no name here",
            body(
                "b",
                &[(&other, &long[..MIB / 2]), (&other, &long[..MIB / 2])],
            ),
            413,
            10011,
            "",
        ),
        (
            "some of them",
            body("b", &[(&other, &long[..MIB / 2])]),
            200,
            10001,
            missing,
        ),
        ("33 parts", times(33), 200, 10001, "32 parts"),
        ("32 parts", times(32), 200, 10001, missing),
        (
            "two names",
            body("b", &[(&twice, b"x")]),
            200,
            10001,
            "malformed",
        ),
    ] {
        let reply = client
            .send(post(
                &client,
                &format!("{PUBLISH}?token={}", account.token),
                "multipart/form-data; boundary=b",
                form,
            ))
            .await;
        let seen = (reply.http, reply.try_code());
        assert_eq!(seen, (http, Some(code)), "{what}: {}", reply.text);
        assert!(reply.message().contains(said), "{what}: {}", reply.text);
    }
    assert_empty(&system, "refused forms").await;
}

#[tokio::test]
async fn a_request_has_at_most_64_parameters() {
    let system = shared_system().await;
    let client = system.client();
    let account = client.new_account().await;
    let known = [
        ("username".to_owned(), account.name.clone()),
        ("password".to_owned(), account.password.clone()),
    ];
    let many = |count: usize| {
        let others = (known.len()..count).map(|n| (format!("p{n}"), n.to_string()));
        known.clone().into_iter().chain(others).collect::<Vec<_>>()
    };
    for (count, code) in [(64, 0), (65, 10001)] {
        let pairs = many(count);
        let object: serde_json::Map<_, _> = pairs
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().into()))
            .collect();
        let (first, second) = pairs.split_at(count / 2);
        let login = || client.request(Method::POST, LOGIN);
        for (place, request) in [
            ("query", login().query(&pairs)),
            ("form", login().form(&pairs)),
            ("JSON", login().json(&object)),
            ("query and form", login().query(first).form(second)),
        ] {
            let reply = client.send(request).await;
            let seen = (reply.http, reply.try_code());
            assert_eq!(
                seen,
                (200, Some(code)),
                "{count} in {place}: {}",
                reply.text
            );
            let said = code == 0 || reply.message().contains("more than 64 parameters");
            assert!(said, "{}", reply.text);
        }
    }
}

/// Sends `start` once and `again` until so many bytes are sent, or the API has closed the connection.
async fn pour(
    base: String,
    start: Vec<u8>,
    again: Box<dyn Fn(usize) -> Vec<u8> + Send>,
    bytes: usize,
) {
    let mut raw = Raw::connect(&base).await;
    raw.send(
        format!("POST {PUBLISH} HTTP/1.1\r\nhost: x\r\ncontent-type: multipart/form-data; boundary=b\r\ntransfer-encoding: chunked\r\n\r\n")
            .as_bytes(),
    )
    .await;
    // An empty chunk would be the body's end.
    if !start.is_empty() {
        raw.send_chunk(&start).await;
    }
    let mut sent = 0;
    for n in 0.. {
        let piece = again(n);
        sent += piece.len();
        if sent > bytes {
            break;
        }
        raw.send_chunk(&piece).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_strangers_who_send_hundreds_of_mib_take_no_memory() {
    let system = system_builder()
        .set("upload.max_bytes", 200 * MIB)
        .start()
        .await;
    let before = system.api().peak_memory_bytes();
    const PIECE: usize = 60 << 10;
    type Again = fn(usize) -> Vec<u8>;
    let text_part: Again = |n| {
        let header = format!("--b\r\n{}\r\n\r\n", text(&format!("p{n}")));
        [header.into_bytes(), vec![b'x'; PIECE], b"\r\n".to_vec()].concat()
    };
    let filler: Again = |_| vec![b'x'; PIECE];
    let lines: Again = |_| b"x: y\r\n".repeat(PIECE / 6);
    for (what, start, again, bytes) in [
        ("text parts", "", text_part, 200 * MIB),
        ("a preamble", "", filler, 64 * MIB),
        ("a header", "--b\r\nx: ", filler, 16 * MIB),
        ("header lines", "--b\r\n", lines, 16 * MIB),
    ] {
        let mut strangers = JoinSet::new();
        for _ in 0..3 {
            let base = system.http().to_owned();
            strangers.spawn(pour(base, start.into(), Box::new(again), bytes));
        }
        strangers.join_all().await;
        let grown = system.api().peak_memory_bytes() - before;
        assert!(grown < (64 * MIB) as u64, "{what}: {} MiB", grown >> 20);
    }
    assert_empty(&system, "forms without end").await;
}
