//! Outside the contract's own outcomes the HTTP status tells the truth, with the same JSON body.

use reqwest::Method;
use testkit::Reply;

use crate::{MAX_UPLOAD, raw::Raw, shapes::assert_reply, shared_system};

fn assert_failed(reply: Reply, http: u16, code: i64) {
    let content_type = reply.headers["content-type"].to_str().unwrap().to_owned();
    assert!(
        content_type.starts_with("application/json"),
        "{content_type}"
    );
    assert!(!reply.request_id().is_empty());
    assert_reply(&reply.failed(http, code));
}

#[tokio::test]
async fn an_unknown_path_is_404() {
    let system = shared_system().await;
    let client = system.client();
    for path in [
        "/douyin",
        "/index.html",
        "/douyin/feeds/",
        "/douyin/feed/x",
        "/douyin/feed//",
        "/metrics/",
    ] {
        assert_failed(client.get(path, &[]).await, 404, 10001);
        assert_failed(client.post(path, &[]).await, 404, 10001);
    }
}

/// Built with Node.js or without: a page, and no JSON.
#[tokio::test]
async fn the_root_is_the_page_and_takes_no_posts() {
    let system = shared_system().await;
    let client = system.client();
    let page = client.get("/", &[]).await;
    assert_eq!(page.http, 200);
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    let posted = client.post("/", &[]).await;
    assert_eq!(posted.headers["allow"], "GET, HEAD");
    assert_failed(posted, 405, 10001);
}

#[tokio::test]
async fn a_wrong_method_is_405_and_says_which_are_right() {
    let system = shared_system().await;
    let client = system.client();
    for (method, path) in [
        (Method::POST, "/douyin/feed/"),
        (Method::POST, "/douyin/user"),
        (Method::DELETE, "/douyin/publish/list/"),
        (Method::GET, "/douyin/user/register/"),
        (Method::GET, "/douyin/user/login"),
        (Method::PUT, "/douyin/publish/action/"),
        (Method::GET, "/douyin/favorite/action/"),
        (Method::POST, "/douyin/favorite/list"),
        (Method::GET, "/douyin/comment/action"),
        (Method::POST, "/douyin/comment/list/"),
    ] {
        let reply = client.send(client.request(method, path)).await;
        assert!(reply.headers.contains_key("allow"), "{path}");
        assert_failed(reply, 405, 10001);
    }
}

#[tokio::test]
async fn a_content_type_that_no_route_takes_is_415() {
    let system = shared_system().await;
    let client = system.client();
    let account = client.new_account().await;
    for path in [
        "/douyin/user/register/",
        "/douyin/user/login/",
        "/douyin/publish/action/",
        "/douyin/favorite/action/",
        "/douyin/comment/action/",
    ] {
        for content_type in [
            "text/plain",
            "application/xml",
            "video/mp4",
            "multipart/mixed; boundary=b",
            "nonsense",
        ] {
            let request = client
                .request(Method::POST, path)
                .bearer_auth(&account.token)
                .header("content-type", content_type)
                .body("username=a&password=12345");
            assert_failed(client.send(request).await, 415, 10001);
        }
    }
}

#[tokio::test]
async fn a_form_or_json_body_above_1_mib_is_413() {
    let system = shared_system().await;
    let client = system.client();
    let account = client.new_account().await;
    let padded = |length: usize| {
        let start = format!(
            "username={}&password={}&x=",
            account.name,
            account.password.replace(' ', "+")
        );
        let padding = "x".repeat(length - start.len());
        client
            .request(Method::POST, "/douyin/user/login/")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(start + &padding)
    };
    client.send(padded(1 << 20)).await.ok();
    assert_failed(client.send(padded((1 << 20) + 1)).await, 413, 10011);
    let json = serde_json::json!({"username": "x".repeat(1 << 20), "password": "12345"});
    assert_failed(
        client.post_json("/douyin/user/login/", &json).await,
        413,
        10011,
    );

    // Without a Content-Length the limit holds as well.
    let mut raw = Raw::connect(system.http()).await;
    raw.send(b"POST /douyin/user/login/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n").await;
    for _ in 0..17 {
        raw.send_chunk(&[b' '; 64 << 10]).await;
    }
    let (http, body) = raw.reply().await;
    assert_eq!(
        (http, body["status_code"].as_i64()),
        (413, Some(10011)),
        "{body}"
    );
}

#[tokio::test]
async fn an_upload_that_announces_too_much_is_413_before_it_is_sent() {
    let system = shared_system().await;
    let account = system.client().new_account().await;
    let mut raw = Raw::connect(system.http()).await;
    let length = MAX_UPLOAD * 100;
    let head = format!(
        "POST /douyin/publish/action/?token={} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: multipart/form-data; boundary=b\r\ncontent-length: {length}\r\n\r\n",
        account.token
    );
    raw.send(head.as_bytes()).await;
    let (http, body) = raw.reply().await;
    assert_eq!(
        (http, body["status_code"].as_i64()),
        (413, Some(10011)),
        "{body}"
    );
}

#[tokio::test]
async fn a_request_keeps_the_id_that_its_client_gave_it() {
    let system = shared_system().await;
    let client = system.client();
    let request = client
        .request(Method::GET, "/douyin/feed/")
        .header("x-request-id", "my-own-id-42");
    assert_eq!(client.send(request).await.request_id(), "my-own-id-42");
    let (first, second) = (client.feed(&[]).await, client.feed(&[]).await);
    assert_ne!(first.request_id(), second.request_id());
}
