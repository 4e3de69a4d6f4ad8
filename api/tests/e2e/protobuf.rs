//! Protobuf: the same replies as JSON, as protoc decodes them; requests that are read like JSON ones; failures, too.

use std::{
    fmt::Write as _,
    io::Write as _,
    process::{Command, Stdio},
};

use idl::proto::{Kind, Label, Message, reply_of};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use testkit::Client;

use crate::{scene::publish_video, shared_system};

const PROTOBUF: &str = "application/x-protobuf";

/// HTTP status, content type and body.
async fn sent(request: RequestBuilder) -> (u16, String, Vec<u8>) {
    let reply = request.header("accept", PROTOBUF).send().await.unwrap();
    let status = reply.status().as_u16();
    let kind = reply.headers()["content-type"].to_str().unwrap().to_owned();
    (status, kind, reply.bytes().await.unwrap().to_vec())
}

/// As protoc writes the message.
fn decoded(message: &Message, bytes: &[u8]) -> String {
    let files = concat!(env!("CARGO_MANIFEST_DIR"), "/../idl");
    let mut protoc = Command::new("protoc")
        .arg(format!("--proto_path={files}"))
        .arg(format!("--decode=douyin.{}", message.name))
        .arg("douyin.proto")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    protoc.stdin.take().unwrap().write_all(bytes).unwrap();
    let output = protoc.wait_with_output().unwrap();
    assert!(output.status.success(), "{}: {bytes:?}", message.name);
    String::from_utf8(output.stdout).unwrap()
}

/// As protoc would write this JSON: fields by their numbers, bytes beyond ASCII in octal.
fn expected(message: &Message, json: &Value, indent: usize) -> String {
    let mut text = String::new();
    let pad = " ".repeat(indent);
    let members = json.as_object().unwrap();
    for name in members.keys() {
        let is_known = message.fields.iter().any(|field| field.name == name);
        assert!(is_known, "{}.{name} is not in douyin.proto", message.name);
    }
    let mut fields: Vec<_> = message.fields.iter().collect();
    fields.sort_by_key(|field| field.number);
    for field in fields {
        let Some(value) = members.get(field.name) else {
            assert_ne!(field.label, Label::Required, "{}", field.name);
            continue;
        };
        let items = match value {
            Value::Array(items) => items.clone(),
            Value::Null => Vec::new(),
            one => vec![one.clone()],
        };
        for item in items {
            let _ = match (field.kind, item) {
                (Kind::Message(_), item) => {
                    let inner = expected(field.kind.message().unwrap(), &item, indent + 2);
                    writeln!(text, "{pad}{} {{\n{inner}{pad}}}", field.name)
                }
                (Kind::Text, Value::String(words)) => {
                    writeln!(text, "{pad}{}: \"{}\"", field.name, escaped(&words))
                }
                (Kind::Text, number) => writeln!(text, "{pad}{}: \"{number}\"", field.name),
                (_, item) => writeln!(text, "{pad}{}: {item}", field.name),
            };
        }
    }
    text
}

fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'"' | b'\'' | b'\\' => out.extend(['\\', char::from(byte)]),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x20..0x7f => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "\\{byte:03o}");
            }
        }
    }
    out
}

/// Sends the same once more for each form, and holds both equal.
async fn assert_equal(
    client: &Client,
    method: Method,
    path: &str,
    query: &[(&str, &str)],
    language: &str,
) {
    let request = || {
        let request = client.request(method.clone(), path).query(query);
        request.header("accept-language", language)
    };
    let json = client.send(request()).await;
    let (status, kind, bytes) = sent(request()).await;
    assert_eq!((status, kind.as_str()), (json.http, PROTOBUF), "{path}");
    assert!(
        bytes.len() < json.text.len(),
        "{path}: {} bytes are more than JSON's",
        bytes.len()
    );
    let message = reply_of(path);
    let text = decoded(message, &bytes);
    if json.code() == 0 {
        assert_eq!(text, expected(message, &json.body, 0), "{path}");
    } else {
        // What is required is there, and empty.
        let status = json!({"status_code": json.code(), "status_msg": json.message()});
        let begins = expected(reply_of("/"), &status, 0);
        assert!(text.starts_with(&begins), "{path}: {text}");
    }
}

#[tokio::test]
async fn both_forms_of_every_reply_are_equal_as_protoc_decodes_them() {
    let system = shared_system().await;
    let client = system.client();
    let (author, fan) = (client.new_account().await, client.new_account().await);
    let video_id = publish_video(&client, &author).await;
    client.like(&fan.token, video_id).await.ok();
    client
        .comment(&fan.token, video_id, "好 \"quoted\" \\ \n🎬")
        .await
        .ok();
    client.follow(&fan.token, author.user_id).await.ok();
    client.follow(&author.token, fan.user_id).await.ok();
    let message = client.send_message(&author.token, fan.user_id, "你好");
    message.await.ok();
    let (video, user) = (video_id.to_string(), author.user_id.to_string());
    let to = ("to_user_id", user.clone());
    let to = (to.0, to.1.as_str());
    let (video, user) = (("video_id", video.as_str()), ("user_id", user.as_str()));
    let token = ("token", fan.token.as_str());
    let seconds = ("latest_time", "1");
    for language in ["en", "zh"] {
        for (path, query) in [
            // The end of the feed: what is newest changes while other tests run.
            ("/douyin/user/", vec![token, user]),
            ("/douyin/publish/list/", vec![token, user]),
            ("/douyin/publish/list/", vec![user]),
            ("/douyin/favorite/list/", vec![token]),
            ("/douyin/comment/list/", vec![token, video]),
            ("/douyin/video/", vec![token, video]),
            ("/douyin/feed/following/", vec![token]),
            ("/douyin/relation/follow/list/", vec![token]),
            ("/douyin/relation/follower/list/", vec![token, user]),
            ("/douyin/relation/friend/list/", vec![token]),
            ("/douyin/message/chat/", vec![token, to]),
            // Failures.
            ("/douyin/user/", vec![("user_id", "9007199254740991")]),
            ("/douyin/video/", vec![("video_id", "x")]),
            ("/douyin/publish/list/", vec![]),
            ("/douyin/nowhere/", vec![]),
        ] {
            assert_equal(&client, Method::GET, path, &query, language).await;
        }
        for (path, query) in [
            (
                "/douyin/favorite/action/",
                vec![token, video, ("action_type", "1")],
            ),
            ("/douyin/user/profile/", vec![token, ("signature", "x")]),
            (
                "/douyin/relation/action/",
                vec![token, to, ("action_type", "1")],
            ),
            (
                "/douyin/message/action/",
                vec![token, to, ("action_type", "2")],
            ),
            (
                "/douyin/user/login/",
                vec![("username", "nobody"), ("password", "wrong")],
            ),
            ("/douyin/user/register/", vec![]),
            (
                "/douyin/comment/action/",
                vec![token, video, ("action_type", "3")],
            ),
            ("/douyin/publish/delete/", vec![token, video]),
            ("/douyin/publish/action/", vec![token]),
            ("/douyin/feed/", vec![]),
        ] {
            assert_equal(&client, Method::POST, path, &query, language).await;
        }
    }
    let (_, _, bytes) = sent(
        client
            .request(Method::GET, "/douyin/feed/")
            .query(&[seconds]),
    )
    .await;
    let end = decoded(reply_of("/douyin/feed/"), &bytes);
    assert!(
        end.contains("status_code: 0\n") && end.contains("next_time: "),
        "{end}"
    );
    // Without the header nothing changes.
    let plain = client.feed(&[seconds]).await;
    assert_eq!(
        plain.headers["content-type"],
        "application/json; charset=utf-8"
    );
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value > 127 {
        bytes.push((value % 128) as u8 | 0x80);
        value /= 128;
    }
    bytes.push(value as u8);
    bytes
}

fn message(fields: &[(u8, &str)]) -> Vec<u8> {
    let field = |(number, text): &(u8, &str)| {
        let length = varint(text.len() as u64);
        [&[number << 3 | 2], &length[..], text.as_bytes()].concat()
    };
    fields.iter().flat_map(field).collect()
}

#[tokio::test]
async fn a_request_in_protobuf_is_read_like_one_in_json() {
    let system = shared_system().await;
    let client = system.client();
    let account = client.new_account().await;
    let send = async |path: &str, body: Vec<u8>| {
        let request = client.request(Method::POST, path);
        client
            .send(request.header("content-type", PROTOBUF).body(body))
            .await
    };
    let login = message(&[(1, &account.name), (2, &account.password)]);
    let session = send("/douyin/user/login/", login.clone()).await.ok();
    assert_eq!(session["user_id"], account.user_id);
    let video_id = publish_video(&client, &account).await;
    let mut like = message(&[(1, &account.token)]);
    like.extend(
        [
            &[2 << 3][..],
            &varint(video_id.unsigned_abs()),
            &[3 << 3, 1],
        ]
        .concat(),
    );
    send("/douyin/favorite/action/", like).await.ok();
    let video = client.video(video_id, &account.token).await.ok();
    assert_eq!(video["video"]["is_favorite"], true);

    let broken = send("/douyin/user/login/", login[..5].to_vec()).await;
    assert!(
        broken.message().ends_with("protobuf body: is malformed"),
        "{}",
        broken.text
    );
    broken.refused(10001);
    for path in ["/douyin/publish/action/", "/douyin/user/profile/"] {
        send(path, login.clone()).await.failed(415, 10001);
    }
}

#[tokio::test]
async fn the_messages_are_served_as_they_are_in_the_repository() {
    let system = shared_system().await;
    let client = system.client();
    let url = format!("{}/proto/douyin.proto", system.http());
    let (status, _, bytes) = client.fetch(&url, None).await;
    let file = include_bytes!("../../../idl/douyin.proto");
    assert_eq!((status, bytes.as_slice()), (200, &file[..]));
}
