//! A request that is answered before its body has come: what happens to the rest and to its connection.

use std::time::{Duration, Instant};

use testkit::{Client, Metrics, Process, eventually};

use crate::{MAX_UPLOAD, raw::Raw, shared_system, system_builder};

/// By when an API that has just been started answers.
const SOON: Duration = Duration::from_secs(20);
const MIB: usize = 1 << 20;

/// The head of an upload whose token is bad.
fn refused(version: &str, more: &str) -> String {
    format!(
        "POST /douyin/publish/action/ HTTP/{version}\r\nhost: x\r\nauthorization: Bearer not.a.token\r\n\
         content-type: multipart/form-data; boundary=b\r\n{more}\r\n\r\n"
    )
}

#[tokio::test]
async fn a_refusal_that_the_head_is_enough_for_comes_instead_of_100_continue() {
    let system = shared_system().await;
    let token = system.client().new_account().await.token;
    let too_large = MAX_UPLOAD * 2;
    let expects = "expect: 100-continue";
    for (head, http, code) in [
        (
            refused("1.1", &format!("content-length: {MIB}\r\n{expects}")),
            200,
            10003,
        ),
        (
            refused("1.1", &format!("transfer-encoding: chunked\r\n{expects}")),
            200,
            10003,
        ),
        (
            format!(
                "POST /douyin/publish/action/?token={token} HTTP/1.1\r\nhost: x\r\n\
                 content-type: multipart/form-data; boundary=b\r\ncontent-length: {too_large}\r\n{expects}\r\n\r\n"
            ),
            413,
            10011,
        ),
        (
            format!(
                "POST /nowhere HTTP/1.1\r\nhost: x\r\ncontent-length: {MIB}\r\n{expects}\r\n\r\n"
            ),
            404,
            10001,
        ),
    ] {
        let mut raw = Raw::connect(system.http()).await;
        raw.send(head.as_bytes()).await;
        let answer = raw.answer().await.unwrap();
        assert_eq!(answer.http, http, "{head}");
        assert_eq!(answer.body["status_code"], code, "{head}");
        assert!(answer.closes, "{head}");
    }
    // What isn't refused yet is asked for.
    let mut raw = Raw::connect(system.http()).await;
    let form = "username=nobody&password=12345";
    let length = form.len();
    let head = format!(
        "POST /douyin/user/login/ HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n{expects}\r\n\r\n"
    );
    raw.send(head.as_bytes()).await;
    assert_eq!(raw.answer().await.unwrap().http, 100);
    raw.send(form.as_bytes()).await;
    let answer = raw.answer().await.unwrap();
    assert_eq!(answer.body["status_code"], 10004);
    assert!(!answer.closes);
}

#[tokio::test]
async fn a_connection_is_kept_when_all_of_a_refused_body_has_come() {
    let system = shared_system().await;
    let mut raw = Raw::connect(system.http()).await;
    let body = vec![0; 4 * MIB];
    for chunked in [false, true] {
        match chunked {
            false => {
                let length = format!("content-length: {}", body.len());
                raw.send(refused("1.1", &length).as_bytes()).await;
                raw.send(&body).await;
            }
            true => {
                raw.send(refused("1.1", "transfer-encoding: chunked").as_bytes())
                    .await;
                raw.send_chunk(&body).await;
                raw.send_chunk(&[]).await;
            }
        }
        // Sent before the answer is there.
        raw.send(b"GET /douyin/feed/?latest_time=1 HTTP/1.1\r\nhost: x\r\n\r\n")
            .await;
        for code in [10003, 0] {
            let answer = raw.answer().await.unwrap();
            assert_eq!(answer.body["status_code"], code, "chunked: {chunked}");
            assert!(!answer.closes, "chunked: {chunked}");
        }
    }
}

#[tokio::test]
async fn a_client_of_http_1_0_sees_its_refusal() {
    let system = shared_system().await;
    // HTTP/1.0 knows no expectation, so it isn't met.
    for expects in ["", "\r\nexpect: 100-continue"] {
        let mut raw = Raw::connect(system.http()).await;
        let length = format!("content-length: {}{expects}", 8 * MIB);
        raw.send(refused("1.0", &length).as_bytes()).await;
        raw.try_send(&vec![0; 8 * MIB]).await.unwrap();
        let (http, body) = raw.reply().await;
        assert_eq!((http, body["status_code"].as_i64()), (200, Some(10003)));
    }
}

#[tokio::test]
async fn a_refused_body_that_comes_too_slowly_is_cut_with_the_answer() {
    let system = shared_system().await;
    let before = Metrics::of(system.api()).await;
    let mut raw = Raw::connect(system.http()).await;
    let length = format!("content-length: {}", 8 * MIB);
    raw.send(refused("1.1", &length).as_bytes()).await;
    let drip = async {
        let begun = Instant::now();
        while begun.elapsed() < SOON {
            tokio::time::sleep(Duration::from_millis(100)).await;
            // Far below the pace, and never still.
            raw.send(&[0; 1 << 10]).await;
        }
    };
    let slow = ("outcome", "too_slow");
    tokio::select! {
        () = drip => panic!("it is still read"),
        () = eventually(SOON, "a body that is given up", async || {
            let now = Metrics::of(system.api()).await;
            let count = |metrics: &Metrics| metrics.sum("discarded_bodies_total", &[slow]);
            (count(&now) > count(&before)).then_some(())
        }) => {}
    }
    let answer = raw.answer().await.unwrap();
    assert_eq!(answer.body["status_code"], 10003);
    assert!(answer.closes);
}

#[tokio::test]
async fn a_body_without_an_end_is_discarded_up_to_the_size_of_an_upload() {
    let system = shared_system().await;
    let mut raw = Raw::connect(system.http()).await;
    raw.send(refused("1.1", "transfer-encoding: chunked").as_bytes())
        .await;
    let chunk = [b"100000\r\n", &vec![0; MIB][..], b"\r\n"].concat();
    // Twice as much, since it goes on for a moment behind the answer; and what lies in buffers.
    let most = 2 * (MAX_UPLOAD / MIB + 1) + 32;
    let mut sent = 0;
    while raw.try_send(&chunk).await.is_ok() {
        sent += 1;
        assert!(sent <= most, "{sent} MiB were taken");
    }
    assert!(sent >= MAX_UPLOAD / MIB, "{sent} MiB were taken");
    let answer = raw.answer().await.unwrap();
    assert_eq!(answer.body["status_code"], 10003);
    assert!(answer.closes);
}

#[tokio::test]
async fn a_client_that_only_listens_any_more_sees_its_refusal() {
    let system = shared_system().await;
    let mut raw = Raw::connect(system.http()).await;
    let length = format!("content-length: {}", 8 * MIB);
    raw.send(refused("1.1", &length).as_bytes()).await;
    raw.send(&vec![0; 4 * MIB]).await;
    raw.finish().await;
    let answer = raw.answer().await.unwrap();
    assert_eq!(answer.body["status_code"], 10003);
    assert!(answer.closes);
}

#[tokio::test]
async fn a_refused_body_is_the_first_to_give_up_its_place() {
    const MAX_CONNECTIONS: usize = 20;
    let system = system_builder()
        .set("http.max_connections", MAX_CONNECTIONS)
        .start()
        .await;
    let feed = b"GET /douyin/feed/?latest_time=1 HTTP/1.1\r\nhost: x\r\n\r\n";
    // Idle for longer than it.
    let mut idle = Vec::new();
    for _ in 0..MAX_CONNECTIONS - 1 {
        let mut raw = Raw::connect(system.http()).await;
        raw.send(feed).await;
        assert_eq!(raw.answer().await.unwrap().http, 200);
        idle.push(raw);
    }
    let mut refused_one = Raw::connect(system.http()).await;
    let head = refused("1.1", "transfer-encoding: chunked");
    refused_one.send(head.as_bytes()).await;
    // A little faster than it must, so that nothing else ends it.
    let chunk = [b"19000\r\n", &[0; 0x19000][..], b"\r\n"].concat();
    let sends = async {
        while refused_one.try_send(&chunk).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    };
    let asks = async {
        eventually(SOON, "a refused upload", async || {
            let metrics = Metrics::of(system.api()).await;
            let refused = metrics.sum("uploads_total", &[("outcome", "refused")]);
            (refused >= 1.0).then_some(())
        })
        .await;
        let mut one_more = Raw::connect(system.http()).await;
        one_more.send(feed).await;
        assert_eq!(one_more.answer().await.unwrap().http, 200);
        one_more
    };
    let (one_more, ()) = tokio::join!(asks, sends);
    assert!(refused_one.all().await.is_empty(), "it was answered");
    for mut raw in idle {
        raw.send(feed).await;
        assert_eq!(raw.answer().await.unwrap().http, 200);
    }
    drop(one_more);
}

#[tokio::test]
async fn a_process_that_is_asked_to_stop_answers_what_it_discards() {
    let system = shared_system().await;
    let process = Process::workspace_binary("api", system.variables().clone());
    let base = format!("http://{}", process.address().await);
    let client = Client::new(&base);
    eventually(SOON, "an answer", async || {
        (client.feed(&[]).await.try_code() == Some(0)).then_some(())
    })
    .await;
    let mut raw = Raw::connect(&base).await;
    let length = format!("content-length: {}", 8 * MIB);
    raw.send(refused("1.1", &length).as_bytes()).await;
    raw.send(&vec![0; 4 * MIB]).await;
    process.terminate();
    eventually(SOON, "a process that accepts nothing more", async || {
        (client.feed(&[]).await.http == 0).then_some(())
    })
    .await;
    raw.try_send(&vec![0; 4 * MIB]).await.unwrap();
    let answer = raw.answer().await.unwrap();
    assert_eq!(answer.body["status_code"], 10003);
    assert!(answer.closes);
    assert!(process.ended(SOON).await.success());
}
