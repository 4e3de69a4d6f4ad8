//! What HTTP asks of a server, whatever it serves: methods, types, caching, origins, compression, connections.

use std::io::{Read as _, Write as _};

use api::{route::Route, routes::routes};
use reqwest::Method;
use serde_json::Value;
use testkit::Client;

use crate::{raw::Raw, scene::film, shapes::videos, shared_system, system_builder};

/// Headers without those that differ between any two replies.
fn lasting(headers: &reqwest::header::HeaderMap) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = headers
        .iter()
        .filter(|(name, _)| !["date", "x-request-id"].contains(&name.as_str()))
        .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
        .collect();
    all.sort();
    all
}

#[tokio::test]
async fn every_route_takes_its_methods_and_names_them_to_others() {
    let system = shared_system().await;
    let client = system.client();
    for Route { path, methods, .. } in routes() {
        for path in [path, path.trim_end_matches('/')] {
            for method in [
                "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW",
            ] {
                let method = Method::from_bytes(method.as_bytes()).unwrap();
                let takes = methods.split(", ").any(|one| one == method.as_str());
                let reply = client.send(client.request(method.clone(), path)).await;
                assert_eq!(reply.http == 405, !takes, "{method} {path}");
                assert!(
                    takes || reply.headers["allow"] == methods,
                    "{method} {path}"
                );
                assert!(!reply.request_id().is_empty());
                assert_eq!(reply.headers["x-content-type-options"], "nosniff");
                assert_eq!(
                    reply.headers["content-type"],
                    "application/json; charset=utf-8"
                );
                assert_eq!(reply.headers["cache-control"], "no-store");
                assert!(!reply.headers.contains_key("etag"), "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn a_refused_method_is_told_in_the_language_of_the_client() {
    let system = shared_system().await;
    let client = system.client();
    let request = client
        .request(Method::PUT, "/douyin/feed/")
        .header("accept-language", "zh");
    let body = client.send(request).await.failed(405, 10001);
    assert_eq!(body["status_msg"], "参数错误：请求方法：只支持 GET、HEAD");
}

#[tokio::test]
async fn head_has_the_headers_of_get_and_no_body() {
    let system = shared_system().await;
    let client = system.client();
    for path in [
        "/douyin/comment/list/?video_id=x",
        "/douyin/user/",
        "/docs",
        "/openapi.json",
        "/healthz",
    ] {
        for encoding in ["identity", "gzip"] {
            let ask = async |method: Method| {
                let request = client.request(method, path);
                client
                    .send(request.header("accept-encoding", encoding))
                    .await
            };
            let (get, head) = (ask(Method::GET).await, ask(Method::HEAD).await);
            assert_eq!((get.http, head.http), (200, 200), "{path}");
            assert_eq!(head.text, "");
            assert_eq!(lasting(&head.headers), lasting(&get.headers), "{path}");
        }
    }
}

/// The JSON of a reply that came in gzip.
fn unpacked(packed: &[u8]) -> Value {
    let mut text = String::new();
    let mut decoder = flate2::read::GzDecoder::new(packed);
    decoder.read_to_string(&mut text).expect("gzip");
    serde_json::from_str(&text).unwrap()
}

async fn fetch(client: &Client, path: &str, encoding: &str) -> (Option<String>, Vec<u8>) {
    let request = client.request(Method::GET, path);
    let request = request.header("accept-encoding", encoding);
    let answer = request.send().await.unwrap();
    let headers = answer.headers();
    let varies: Vec<&str> = headers
        .get_all("vary")
        .iter()
        .map(|value| value.to_str().unwrap())
        .collect();
    assert!(varies.contains(&"Accept-Encoding"), "{varies:?}");
    let length = headers["content-length"].to_str().unwrap().to_owned();
    let coding = headers.get("content-encoding");
    let coding = coding.map(|value| value.to_str().unwrap().to_owned());
    let bytes = answer.bytes().await.unwrap().to_vec();
    assert_eq!(length, bytes.len().to_string());
    (coding, bytes)
}

#[tokio::test]
async fn a_large_reply_comes_in_gzip_to_who_takes_it() {
    let system = shared_system().await;
    let client = system.client();
    let author = client.new_account().await;
    for _ in 0..2 {
        film(&client, &author).await;
    }
    let path = format!("/douyin/publish/list/?user_id={}", author.user_id);
    let (coding, plain) = fetch(&client, &path, "identity, gzip;q=0").await;
    assert_eq!(coding, None);
    assert!(plain.len() > 1024);
    for encoding in ["gzip", "gzip, deflate, br", "*"] {
        let (coding, packed) = fetch(&client, &path, encoding).await;
        assert_eq!(coding.as_deref(), Some("gzip"), "{encoding}");
        assert!(packed.len() < plain.len(), "{}", packed.len());
        let reply = unpacked(&packed);
        assert_eq!(videos(&reply).len(), 2);
        assert_eq!(reply, serde_json::from_slice::<Value>(&plain).unwrap());
    }
    let (coding, _) = fetch(&client, "/douyin/comment/list/", "gzip").await;
    assert_eq!(coding, None, "a small reply gains nothing");
    let (coding, _) = fetch(&client, "/openapi.json", "gzip").await;
    assert_eq!(coding.as_deref(), Some("gzip"));
}

#[tokio::test]
async fn a_connection_is_kept_and_answers_pipelined_requests_in_their_order() {
    let system = shared_system().await;
    let mut raw = Raw::connect(system.http()).await;
    let login = "username=nobody&password=12345";
    let mut requests = Vec::new();
    // Refusals of every kind do not end the connection.
    for (n, (line, body)) in [
        ("GET /douyin/feed/?latest_time=1", ""),
        ("POST /douyin/user/login/", login),
        ("GET /nowhere", ""),
        ("PUT /douyin/feed/", ""),
        ("HEAD /douyin/feed/?latest_time=1", ""),
        ("GET /douyin/user/", ""),
    ]
    .into_iter()
    .enumerate()
    {
        let length = body.len();
        let close = if n == 5 { "connection: close\r\n" } else { "" };
        write!(requests, "{line} HTTP/1.1\r\nhost: x\r\nx-request-id: number-{n}\r\n{close}content-length: {length}\r\n\r\n{body}").unwrap();
    }
    raw.send(&requests).await;
    let text = String::from_utf8(raw.all().await).unwrap();
    let mut statuses = Vec::new();
    let mut ids = Vec::new();
    for line in text.split("\r\n") {
        // A body ends without a line break, so the next reply begins in its line.
        if let Some(start) = line.find("HTTP/1.1 ") {
            statuses.push(line[start + 9..start + 12].to_owned());
        }
        ids.extend(line.strip_prefix("x-request-id: ").map(str::to_owned));
    }
    assert_eq!(
        statuses,
        ["200", "200", "404", "405", "200", "200"],
        "{text}"
    );
    let expected: Vec<String> = (0..6).map(|n| format!("number-{n}")).collect();
    assert_eq!(ids, expected);
}

#[tokio::test]
async fn only_the_origins_of_the_settings_may_call_from_a_browser() {
    const APP: &str = "https://app.example";
    let system = system_builder()
        .set("http.cors_origins", format!("{APP}, http://localhost:3000"))
        .instances("favorite", 0)
        .instances("comment", 0)
        .start()
        .await;
    let client = system.client();
    let ask = async |method: Method, origin: &str| {
        let request = client
            .request(method, "/douyin/user/login/")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header(
                "access-control-request-headers",
                "authorization,content-type",
            );
        client.send(request).await
    };
    for origin in [APP, "http://localhost:3000"] {
        let reply = ask(Method::OPTIONS, origin).await;
        assert_eq!((reply.http, reply.text.as_str()), (204, ""));
        assert_eq!(reply.headers["access-control-allow-origin"], origin);
        assert_eq!(
            reply.headers["access-control-allow-methods"],
            "GET, HEAD, POST"
        );
        let allowed = reply.headers["access-control-allow-headers"]
            .to_str()
            .unwrap();
        for header in [
            "Authorization",
            "Content-Type",
            "Idempotency-Key",
            "X-Request-Id",
        ] {
            assert!(allowed.contains(header), "{allowed}");
        }
        assert!(!reply.request_id().is_empty());

        let reply = ask(Method::POST, origin).await;
        assert_eq!(reply.headers["access-control-allow-origin"], origin);
        let exposed = reply.headers["access-control-expose-headers"]
            .to_str()
            .unwrap();
        assert!(exposed.contains("X-Request-Id"), "{exposed}");
        assert!(
            !reply
                .headers
                .contains_key("access-control-allow-credentials")
        );
        reply.refused(10001);
    }
    for origin in [
        "https://other.example",
        "http://app.example",
        "null",
        "https://app.example.other",
    ] {
        for (method, http) in [(Method::OPTIONS, 405), (Method::POST, 200)] {
            let reply = ask(method, origin).await;
            assert_eq!(reply.http, http, "{origin}");
            assert!(
                !reply.headers.contains_key("access-control-allow-origin"),
                "{origin}"
            );
            let mut varies = reply.headers.get_all("vary").iter();
            assert!(varies.any(|value| value == "Origin"), "{origin}");
        }
    }
}

#[tokio::test]
async fn without_settings_no_origin_may_call_from_a_browser() {
    let system = shared_system().await;
    let client = system.client();
    let request = client
        .request(Method::OPTIONS, "/douyin/feed/")
        .header("origin", "https://app.example")
        .header("access-control-request-method", "GET");
    let reply = client.send(request).await;
    assert!(!reply.headers.contains_key("access-control-allow-origin"));
    reply.failed(405, 10001);
}
