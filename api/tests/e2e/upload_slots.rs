//! Uploads whose token is known: how many are received at once, for how long, and what they count for meanwhile.

use std::net::SocketAddr;

use testkit::{Account, Builder, Metrics, eventually, media};
use tokio::{io::AsyncWriteExt as _, net::TcpStream, task::JoinSet};

use crate::{
    slow_bodies::{
        FILE_FIRST, LONG_S, SOON, connect, cut_off, head, host, keep_dripping, reply, serves,
        until_used,
    },
    store::assert_empty_soon,
    system_builder,
};

/// Where no upload is cut because it is slow.
fn patient() -> Builder {
    system_builder()
        .set("http.min_body_rate_after_s", LONG_S)
        .set("upload.stall_timeout_s", LONG_S)
}

/// The beginning of an upload of so many bytes, with the token in a header.
fn begin_of(account: &Account, length: usize) -> String {
    let bearer = format!("authorization: Bearer {}\r\n", account.token);
    let head = head("", &bearer).replace("1000000", &length.to_string());
    head + FILE_FIRST
}

/// An upload that has begun.
async fn begin(to: SocketAddr, account: &Account, length: usize) -> TcpStream {
    let mut stream = connect(to, host(1)).await;
    let begin = begin_of(account, length);
    stream.write_all(begin.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn a_further_upload_of_a_user_is_refused_until_one_of_theirs_is_over() {
    let system = patient().set("upload.parallel_per_user", 2).start().await;
    let client = system.client();
    let (account, other) = (client.new_account().await, client.new_account().await);
    let to = system.api().address().await;
    let held = [
        begin(to, &account, 1000).await,
        begin(to, &account, 1000).await,
    ];
    until_used(&system, "uploads", 2).await;
    let publish = async |account: &Account| {
        client
            .publish(&account.token, "Further", media::mp4())
            .await
    };
    let further = publish(&account).await;
    assert!(further.headers.contains_key("retry-after"));
    further.failed(429, 10012);
    publish(&other).await.ok();
    drop(held);
    eventually(SOON, "an upload that is let in again", async || {
        (publish(&account).await.try_code() == Some(0)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn under_pressure_the_user_with_the_most_uploads_loses_one_and_is_told_so() {
    const SLOTS: usize = 4;
    const LENGTH: usize = 100_000;
    let system = patient().set("upload.parallel", SLOTS).start().await;
    let client = system.client();
    let (account, other) = (client.new_account().await, client.new_account().await);
    let to = system.api().address().await;
    let mut held = Vec::new();
    for _ in 0..SLOTS {
        held.push(begin(to, &account, LENGTH).await);
    }
    until_used(&system, "uploads", SLOTS).await;
    for _ in 0..3 {
        client
            .publish(&other.token, "Honest", media::mp4())
            .await
            .ok();
    }
    // They send what they have announced, whether it is wanted or not.
    let rest = vec![0; LENGTH - FILE_FIRST.len()];
    let mut refused = 0;
    for mut stream in held {
        stream.write_all(&rest).await.unwrap();
        let (status, json) = reply(&mut stream).await;
        match status.as_str() {
            "429" => {
                assert_eq!(json["status_code"], 10012);
                refused += 1;
            }
            // A form without an end.
            _ => assert_eq!(
                (status.as_str(), &json["status_code"]),
                ("200", &10001.into())
            ),
        }
    }
    assert!((1..SLOTS).contains(&refused), "{refused}");
}

#[tokio::test]
async fn more_slow_uploads_with_a_token_than_connections_leave_everybody_else_served() {
    const MAX_CONNECTIONS: usize = 50;
    const PER_USER: usize = 4;
    let system = patient()
        .set("http.max_connections", MAX_CONNECTIONS)
        .set("upload.parallel", 2 * PER_USER)
        .set("upload.parallel_per_user", PER_USER)
        .start()
        .await;
    let honest = system.client().new_account().await;
    let mut hostile = Vec::new();
    for _ in 0..MAX_CONNECTIONS / PER_USER + 1 {
        hostile.push(system.client().new_account().await);
    }
    let to = system.api().address().await;
    let mut drips = JoinSet::new();
    for account in hostile.iter().cycle().take(PER_USER * hostile.len()) {
        // Those that get no slot are refused, and come again.
        keep_dripping(&mut drips, to, host(2), begin_of(account, 1_000_000));
    }
    until_used(&system, "uploads", 2 * PER_USER).await;
    until_used(&system, "connections", MAX_CONNECTIONS).await;
    serves(&system, &honest).await;
}

#[tokio::test]
async fn an_upload_that_has_not_come_by_its_deadline_is_refused_with_and_without_a_token() {
    let system = system_builder()
        .set("upload.deadline_s", 10)
        // What comes here is faster.
        .set("http.min_body_rate", 1)
        .set("http.min_body_rate_after_s", 2)
        .start()
        .await;
    let account = system.client().new_account().await;
    let to = system.api().address().await;
    let (with_token, without) = (begin_of(&account, 1_000_000), head("", "") + FILE_FIRST);
    let (with_token, without) = tokio::join!(cut_off(to, &with_token), cut_off(to, &without));
    for text in [with_token, without] {
        assert!(text.starts_with("HTTP/1.1 408"), "{text}");
    }
    assert_empty_soon(&system, "an upload that took too long").await;
}

#[tokio::test]
async fn the_bytes_of_an_upload_count_for_the_quota_as_they_come() {
    const QUOTA: usize = 2 << 20;
    let system = patient()
        .set("limits.upload_bytes_per_user_day", QUOTA)
        .start()
        .await;
    let client = system.client();
    let (account, other) = (client.new_account().await, client.new_account().await);
    let to = system.api().address().await;
    let mut under_way = begin(to, &account, 3 * QUOTA).await;
    under_way.write_all(&vec![0; 2 * QUOTA]).await.unwrap();
    eventually(SOON, "bytes beyond the quota", async || {
        let metrics = Metrics::of(system.api()).await;
        let received = metrics.sum("upload_bytes_total", &[]);
        (received > 1.6 * QUOTA as f64).then_some(())
    })
    .await;
    let further = client.publish(&account.token, "More", media::mp4()).await;
    further.failed(429, 10012);
    client
        .publish(&other.token, "Another's", media::mp4())
        .await
        .ok();
}
