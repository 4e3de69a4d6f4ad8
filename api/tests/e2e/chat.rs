//! Messages: who sees them, in which order, and that polling misses none.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use reqwest::Method;
use serde_json::Value;
use testkit::{Account, Client};
use tokio::sync::Notify;

use crate::{
    shapes::{assert_reply, messages},
    shared_system, system_builder,
};

/// An id that no test reaches.
const NOBODY: i64 = 9_007_199_254_740_991;

fn contents(messages: &[Value]) -> Vec<&str> {
    messages
        .iter()
        .map(|message| message["content"].as_str().unwrap())
        .collect()
}

async fn chat(client: &Client, who: &Account, with: &Account, after: Option<i64>) -> Vec<Value> {
    messages(&client.chat(&who.token, with.user_id, after).await.ok())
}

#[tokio::test]
async fn both_see_a_message_at_once_and_nobody_else_does() {
    let system = shared_system().await;
    let client = system.client();
    let (ann, bob) = (client.new_account().await, client.new_account().await);
    let eve = client.new_account().await;
    assert!(chat(&client, &ann, &bob, None).await.is_empty());
    assert!(chat(&client, &ann, &bob, Some(0)).await.is_empty());
    // They needn't be friends; white space at the edges is cut off.
    let longest = "好".repeat(500);
    for (from, to, text) in [
        (&ann, &bob, " Hello!\n"),
        (&bob, &ann, "'\\\"; DROP TABLE messages; -- 😀"),
        (&ann, &bob, longest.as_str()),
    ] {
        assert_reply(
            &client
                .send_message(&from.token, to.user_id, text)
                .await
                .ok(),
        );
        for (who, with) in [(&ann, &bob), (&bob, &ann)] {
            let seen = chat(&system.client(), who, with, None).await;
            let last = seen.last().unwrap();
            assert_eq!(last["content"], text.trim());
            assert_eq!(last["from_user_id"], from.user_id);
            assert_eq!(last["to_user_id"], to.user_id);
        }
    }
    let all = chat(&client, &ann, &bob, Some(0)).await;
    assert_eq!(all.len(), 3);
    let time = |n: usize| all[n]["create_time"].as_i64().unwrap();
    assert_eq!(chat(&client, &bob, &ann, Some(time(0))).await, all[1..]);
    assert!(chat(&client, &bob, &ann, Some(time(2))).await.is_empty());
    assert!(chat(&client, &eve, &ann, None).await.is_empty());
    assert!(chat(&client, &eve, &bob, None).await.is_empty());
    let unknown = client.chat(&ann.token, NOBODY, None).await;
    unknown.refused(10006);
    client
        .send_message(&ann.token, NOBODY, "?")
        .await
        .refused(10006);
    client
        .send_message(&ann.token, ann.user_id, "?")
        .await
        .refused(10001);
    let gone = testkit::token_of(NOBODY, Duration::from_secs(60));
    client
        .send_message(&gone, ann.user_id, "?")
        .await
        .refused(10003);
}

#[tokio::test]
async fn a_long_chat_shows_its_newest_messages_and_is_read_back_and_forth_page_by_page() {
    let system = system_builder().set("page.list", 3).start().await;
    let client = system.client();
    let (ann, bob) = (client.new_account().await, client.new_account().await);
    for n in 0..8 {
        let text = n.to_string();
        client
            .send_message(&ann.token, bob.user_id, &text)
            .await
            .ok();
    }
    let with = ann.user_id.to_string();
    let page = async |more: &[(&str, &str)]| {
        let own = [("token", bob.token.as_str()), ("to_user_id", &with)];
        let query: Vec<(&str, &str)> = own.into_iter().chain(more.iter().copied()).collect();
        client.get("/douyin/message/chat/", &query).await.ok()
    };
    let (mut before, mut back) = (String::new(), Vec::new());
    loop {
        let reply = page(&[("before", &before)]).await;
        let seen = messages(&reply);
        back.splice(0..0, contents(&seen).into_iter().map(str::to_owned));
        before = reply["next_before"].to_string();
        if reply["has_more"] == false {
            assert_eq!(before, "0");
            break;
        }
        assert_eq!(seen.len(), 3);
    }
    let all: Vec<String> = (0..8).map(|n| n.to_string()).collect();
    assert_eq!(back, all);
    let (mut after, mut forth) = ("0".to_owned(), Vec::new());
    loop {
        let reply = page(&[("pre_msg_time", &after)]).await;
        let seen = messages(&reply);
        forth.extend(contents(&seen).into_iter().map(str::to_owned));
        let last = seen.last().unwrap();
        after = last["create_time"].to_string();
        if reply["has_more"] == false {
            break;
        }
    }
    assert_eq!(forth, all);
}

#[tokio::test]
async fn the_same_key_sends_one_message_and_other_content_is_refused() {
    let system = shared_system().await;
    let client = system.client();
    let (ann, bob) = (client.new_account().await, client.new_account().await);
    let eve = client.new_account().await;
    let send = async |to: &Account, text: &str| {
        let to = to.user_id.to_string();
        let query = [
            ("token", ann.token.as_str()),
            ("to_user_id", &to),
            ("action_type", "1"),
            ("content", text),
        ];
        let request = client.request(Method::POST, "/douyin/message/action/");
        client
            .send(request.query(&query).header("idempotency-key", "k"))
            .await
    };
    let all = join_all((0..8).map(|_| send(&bob, "once"))).await;
    for reply in all {
        reply.ok();
    }
    send(&bob, " once ").await.ok();
    send(&bob, "twice").await.refused(10013);
    send(&eve, "once").await.refused(10013);
    let seen = chat(&client, &bob, &ann, None).await;
    assert_eq!(contents(&seen), ["once"]);
}

/// A hundred send at once, in both directions; one polls with the newest time seen, over more messages than a page has.
#[tokio::test]
async fn who_polls_with_the_newest_time_seen_misses_nothing_and_gets_nothing_twice() {
    const WRITERS: usize = 100;
    const EACH: usize = 8;
    let system = system_builder()
        .instances("message", 2)
        .set("page.list", 300)
        .start()
        .await;
    let client = system.client();
    let (ann, bob) = (client.new_account().await, client.new_account().await);
    let has_ended = Arc::new(Notify::new());
    let writers = (0..WRITERS).map(|writer| {
        let (client, ann, bob) = (system.client(), &ann, &bob);
        async move {
            let (from, to) = if writer % 2 == 0 {
                (ann, bob)
            } else {
                (bob, ann)
            };
            for n in 0..EACH {
                let (text, to) = (format!("{writer} {n}"), to.user_id.to_string());
                let query = [
                    ("token", from.token.as_str()),
                    ("to_user_id", &to),
                    ("action_type", "1"),
                    ("content", &text),
                ];
                // A busy machine may let an answer be late: then it is asked again, by the key.
                testkit::eventually(Duration::from_secs(60), "a message sent", async || {
                    let request = client.request(Method::POST, "/douyin/message/action/");
                    let request = request
                        .query(&query)
                        .header("idempotency-key", format!("{writer}-{n}"));
                    (client.send(request).await.try_code() == Some(0)).then_some(())
                })
                .await;
            }
        }
    });
    let poll = async {
        let (client, mut seen, mut after, mut is_last) = (system.client(), Vec::new(), 0, false);
        // Begins to poll when there are more new ones than a page has.
        tokio::time::sleep(Duration::from_millis(200)).await;
        loop {
            let reply = client.chat(&bob.token, ann.user_id, Some(after)).await;
            if reply.try_code() != Some(0) {
                continue;
            }
            let page = messages(&reply.body);
            if let Some(last) = page.last() {
                after = last["create_time"].as_i64().unwrap();
            }
            seen.extend(contents(&page).into_iter().map(str::to_owned));
            if page.is_empty() && is_last {
                return seen;
            }
            let ended = tokio::time::timeout(Duration::from_millis(5), has_ended.notified());
            is_last = is_last || ended.await.is_ok();
        }
    };
    let write = async {
        join_all(writers).await;
        has_ended.notify_one();
    };
    let (mut seen, ()) = tokio::join!(poll, write);
    // Whoever begins now with nothing gets all of it, over several pages.
    let (mut from_start, mut after) = (Vec::new(), 0);
    loop {
        let reply = client.chat(&ann.token, bob.user_id, Some(after)).await.ok();
        let page = messages(&reply);
        from_start.extend(contents(&page).into_iter().map(str::to_owned));
        if reply["has_more"] == false {
            break;
        }
        assert_eq!(page.len(), 300);
        after = page.last().unwrap()["create_time"].as_i64().unwrap();
    }
    assert_eq!(seen, from_start, "in one order for all");
    seen.sort_unstable();
    let mut all: Vec<String> = (0..WRITERS)
        .flat_map(|writer| (0..EACH).map(move |n| format!("{writer} {n}")))
        .collect();
    all.sort_unstable();
    assert_eq!(seen, all);
}
