//! What reads cost once the process knows names and counters are warm.

use std::time::Duration;

use reqwest::Method;
use testkit::{Client, System, eventually};

use crate::{
    feed::{access_log_line, field, seed},
    system_builder,
};

/// Asks until the request cost no more than this; Redis may miss a deadline on a busy machine, and then counts come from MySQL.
async fn costs_at_most(system: &System, client: &Client, path: &str, rpcs: i64, sql: i64) {
    let what = format!("{path} within {rpcs} RPCs and {sql} statements");
    eventually(Duration::from_secs(10), &what, async || {
        let reply = client.send(client.request(Method::GET, path)).await;
        let line = access_log_line(system.api(), reply.request_id()).await;
        reply.ok();
        let spent = |name| field(&line, name).and_then(serde_json::Value::as_i64);
        (spent("rpcs")? <= rpcs && spent("sql")? <= sql).then_some(())
    })
    .await;
}

#[tokio::test]
async fn warm_reads_cost_one_rpc_and_a_viewers_likes_and_follows_one_more() {
    let system = system_builder().start().await;
    let client = system.client();
    let account = client.new_account().await;
    let token = &account.token;
    seed(&system, (0..40).map(|n| 1_700_000_000_000 + n * 1001)).await;
    client.comment(token, 1, "好").await.ok();
    let viewer = client.new_account().await;
    client.follow(token, viewer.user_id).await.ok();
    client.follow(&viewer.token, account.user_id).await.ok();
    client.send_message(token, viewer.user_id, "好").await.ok();
    let viewer = &viewer.token;
    for (path, rpcs, sql) in [
        ("/douyin/feed/".to_owned(), 1, 1),
        (format!("/douyin/feed/?token={token}"), 2, 2),
        ("/douyin/publish/list/?user_id=1".to_owned(), 1, 1),
        (
            format!("/douyin/publish/list/?user_id=1&token={token}"),
            2,
            2,
        ),
        ("/douyin/comment/list/?video_id=1".to_owned(), 1, 1),
        ("/douyin/user/?user_id=1".to_owned(), 1, 0),
        // One's own profile is read anew.
        (format!("/douyin/user/?user_id=1&token={token}"), 2, 1),
        (
            format!("/douyin/comment/list/?video_id=1&token={viewer}"),
            2,
            2,
        ),
        (format!("/douyin/user/?user_id=1&token={viewer}"), 2, 1),
        // The counts come with the list, the flags are one more.
        ("/douyin/relation/follow/list/?user_id=1".to_owned(), 1, 1),
        (
            format!("/douyin/relation/follower/list/?user_id=2&token={token}"),
            1,
            1,
        ),
        (
            format!("/douyin/relation/follow/list/?user_id=1&token={viewer}"),
            1,
            1,
        ),
        (
            format!("/douyin/message/chat/?to_user_id=1&token={viewer}"),
            1,
            1,
        ),
        // The friends, the latest messages, the counts.
        (format!("/douyin/relation/friend/list/?token={token}"), 3, 2),
        // Whom they follow; the newest of each, of few, the videos; likes and follows.
        (format!("/douyin/feed/following/?token={viewer}"), 3, 5),
    ] {
        costs_at_most(&system, &client, &path, rpcs, sql).await;
    }
}
