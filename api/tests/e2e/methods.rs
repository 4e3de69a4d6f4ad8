//! Methods and connections: what each route takes, what others are told, and requests that come one behind the other.

use std::io::Write as _;

use api::{route::Route, routes::routes};
use reqwest::Method;

use crate::{raw::Raw, shared_system};

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
