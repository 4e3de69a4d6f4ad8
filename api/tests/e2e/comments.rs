//! Comments: who may write and delete them, and the order of the list.

use std::{collections::HashSet, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Account, Client, Reply, System, eventually};

use crate::{
    feed::{access_log_line, field, seed},
    scene::{counts, ids, publish_video, seen_by},
    shapes::{added, assert_reply, comments, feed_page, videos},
    shared_system, system_builder,
};

const ACTION: &str = "/douyin/comment/action/";
/// An id that no test reaches.
const NOTHING: i64 = 9_007_199_254_740_991;

fn assert_names(reply: Reply, parameter: &str) {
    let body = reply.refused(10001);
    let message = body["status_msg"].as_str().unwrap();
    assert!(
        message.contains(parameter),
        "{message} should name {parameter}"
    );
}

/// The id of a new comment.
async fn write(client: &Client, account: &Account, video_id: i64, text: &str) -> i64 {
    let reply = client.comment(&account.token, video_id, text).await;
    added(&reply.ok())["id"].as_i64().unwrap()
}

/// "mm-dd" at a moment, in the default time zone.
fn date_in_china(unix_ms: i64) -> String {
    let zone = chrono::FixedOffset::east_opt(8 * 3600).unwrap();
    let time = chrono::DateTime::from_timestamp_millis(unix_ms).unwrap();
    time.with_timezone(&zone).format("%m-%d").to_string()
}

#[tokio::test]
async fn the_flow_of_the_public_tests_passes_twice_on_the_same_data() {
    let system = system_builder().start().await;
    let client = system.client();
    let author = client.new_account().await;
    publish_video(&client, &author).await;
    client.register("douyinTestUserA", "douyin").await.ok();
    for _ in 0..2 {
        let login = client.login("douyinTestUserA", "douyin").await.ok();
        let (user_id, token) = (
            login["user_id"].to_string(),
            login["token"].as_str().unwrap(),
        );
        let (feed, _) = feed_page(&client.feed(&[]).await.ok());
        let video_id = feed[0]["id"].as_i64().unwrap();

        client.like(token, video_id).await.ok();
        client.like(token, video_id).await.ok();
        let query = [("token", token), ("user_id", user_id.as_str())];
        let liked = videos(&client.favorite_list(&query).await.ok());
        assert_eq!(ids(&liked), [video_id]);

        let comment = added(&client.comment(token, video_id, "测试评论").await.ok());
        assert_eq!(comment["content"], "测试评论");
        let id = comment["id"].as_i64().unwrap();
        let video = video_id.to_string();
        let query = [("token", token), ("video_id", video.as_str())];
        let list = comments(&client.comment_list(&query).await.ok());
        assert_eq!(list, [comment]);

        assert_reply(&client.delete_comment(token, video_id, id).await.ok());
        assert_eq!(comments(&client.comment_list(&query).await.ok()).len(), 0);
    }
}

#[tokio::test]
async fn a_comment_comes_back_as_it_was_written_without_white_space_at_its_edges() {
    let system = shared_system().await;
    let client = system.client();
    let (author, fan) = (client.new_account().await, client.new_account().await);
    let video_id = publish_video(&client, &author).await;
    for text in [
        "很好看！".to_owned(),
        "好".repeat(500),
        "🎬".repeat(500),
        "  two  spaces, a\nnew line, 'quotes\", %25 + & \\ <b>".to_owned(),
        "e\u{301} stays decomposed".to_owned(),
        "x".to_owned(),
    ] {
        let now = chrono::Utc::now().timestamp_millis();
        let comment = added(&client.comment(&fan.token, video_id, &text).await.ok());
        assert_eq!(comment["content"], text.trim());
        assert_eq!(comment["user"]["id"], fan.user_id);
        assert_eq!(comment["user"]["name"], fan.name.as_str());
        let created = comment["create_time"].as_i64().unwrap();
        assert!((created - now).abs() < 60_000, "{created} is not now");
        assert_eq!(comment["create_date"], date_in_china(created).as_str());
        // The very next request shows it, from any connection, first, and the same.
        let list = comments(&system.client().comments(video_id).await.ok());
        assert_eq!(list[0], comment);
    }
}

#[tokio::test]
async fn a_text_of_no_characters_or_more_than_500_is_refused_and_changes_nothing() {
    let system = shared_system().await;
    let client = system.client();
    let author = client.new_account().await;
    let video_id = publish_video(&client, &author).await;
    for text in [
        "x".repeat(501),
        "好".repeat(501),
        "🎬".repeat(501),
        String::new(),
        " \n\u{3000}".to_owned(),
    ] {
        let form = [
            ("token", author.token.as_str()),
            ("video_id", &video_id.to_string()),
            ("action_type", "1"),
            ("comment_text", &text),
        ];
        assert_names(client.post_form(ACTION, &form).await, "comment_text");
        assert_names(client.post_form(ACTION, &form[..3]).await, "comment_text");
    }
    assert_eq!(comments(&client.comments(video_id).await.ok()).len(), 0);
    let video = seen_by(&system, &author, &author, video_id).await;
    assert_eq!(counts(&video), (0, 0, false));
}

#[tokio::test]
async fn a_comment_is_deleted_by_its_writer_or_the_videos_author_and_by_nobody_else() {
    let system = shared_system().await;
    let client = system.client();
    let (author, fan) = (client.new_account().await, client.new_account().await);
    let stranger = client.new_account().await;
    let (video_id, other) = (
        publish_video(&client, &author).await,
        publish_video(&client, &author).await,
    );
    let own = write(&client, &fan, video_id, "by the fan, deleted by the fan").await;
    let rude = write(&client, &fan, video_id, "by the fan, deleted by the author").await;
    let kept = write(&client, &author, video_id, "by the author").await;
    let listed = async || ids(&comments(&client.comments(video_id).await.ok()));
    let delete = async |who: &Account, video_id: i64, comment_id: i64| {
        client
            .delete_comment(&who.token, video_id, comment_id)
            .await
    };

    delete(&stranger, video_id, own).await.refused(10009);
    // Whoever wrote the video may not be deleted under it by another commenter.
    delete(&fan, video_id, kept).await.refused(10009);
    // Under another video it is not there: not for its writer, not for the author.
    delete(&fan, other, own).await.refused(10008);
    delete(&author, other, own).await.refused(10008);
    delete(&fan, video_id, NOTHING).await.refused(10008);
    delete(&fan, NOTHING, own).await.refused(10007);
    assert_eq!(listed().await, [kept, rude, own]);
    let video = seen_by(&system, &fan, &author, video_id).await;
    assert_eq!(counts(&video), (0, 3, false));

    let reply = delete(&fan, video_id, own).await.ok();
    assert_reply(&reply);
    assert_eq!(reply.get("comment"), None, "{reply}");
    delete(&fan, video_id, own).await.refused(10008);
    delete(&author, video_id, rude).await.ok();
    delete(&author, video_id, rude).await.refused(10008);
    assert_eq!(listed().await, [kept]);
    let video = seen_by(&system, &fan, &author, video_id).await;
    assert_eq!(counts(&video), (0, 1, false));
}

#[tokio::test]
async fn the_list_of_comments_is_newest_first_bounded_and_pages_on() {
    let system = system_builder().set("page.list", 3).start().await;
    let client = system.client();
    seed(&system, (0..2).map(|n| 1_700_000_000_000 + n)).await;
    let films: Vec<i64> = system
        .database()
        .column("SELECT id FROM videos ORDER BY id")
        .await;
    let (video_id, other) = (films[0], films[1]);
    let (one, two) = (client.new_account().await, client.new_account().await);
    write(&client, &one, other, "under the other film").await;
    let mut written = Vec::new();
    for n in 0..8 {
        let writer = if n % 2 == 0 { &one } else { &two };
        written.push(write(&client, writer, video_id, &format!("number {n}")).await);
    }
    let video = video_id.to_string();
    let ask = async |before: &str| {
        let query = [("video_id", video.as_str()), ("before", before)];
        client.comment_list(&query).await
    };
    let (mut shown, mut before) = (Vec::new(), String::new());
    for expected in [3, 3, 2] {
        let reply = ask(&before).await.ok();
        assert_eq!(reply["has_more"], expected == 3, "{}", shown.len());
        before = reply["next_before"].to_string();
        let page = comments(&reply);
        assert_eq!(page.len(), expected);
        for comment in &page {
            let number = written.iter().position(|id| comment["id"] == *id).unwrap();
            let writer = if number % 2 == 0 { &one } else { &two };
            assert_eq!(comment["user"]["id"], writer.user_id);
            assert_eq!(comment["content"], format!("number {number}"));
        }
        shown.extend(ids(&page));
    }
    written.reverse();
    assert_eq!((&shown, before.as_str()), (&written, "0"));
    assert_eq!(comments(&ask(&written[7].to_string()).await.ok()).len(), 0);
    assert_names(ask("x").await, "before");
}

#[tokio::test]
async fn a_comment_comes_in_every_form_that_parameters_have() {
    let system = shared_system().await;
    let client = system.client();
    let author = client.new_account().await;
    let video_id = publish_video(&client, &author).await;
    let id = video_id.to_string();
    let token = author.token.as_str();
    let text = "100 % + 1 = 很好";
    let pairs = [
        ("token", token),
        ("video_id", &id),
        ("action_type", "1"),
        ("comment_text", text),
    ];
    let post = || client.request(Method::POST, ACTION);
    for request in [
        post().query(&pairs),
        post().form(&pairs),
        post().query(&pairs[1..]).bearer_auth(token),
        post().query(&pairs[..3]).form(&pairs[3..]),
        post().json(&json!({"token": token, "video_id": video_id, "action_type": 1, "comment_text": text})),
        post().json(&json!({"token": token, "video_id": format!("{id}.0"), "action_type": "1", "comment_text": text})),
    ] {
        let comment = added(&client.send(request).await.ok());
        assert_eq!(comment["content"], text);
        let comment_id = &comment["id"];
        let delete = json!({"token": token, "video_id": video_id, "action_type": 2.0, "comment_id": comment_id});
        client.send(post().json(&delete)).await.ok();
        assert_eq!(comments(&client.comments(video_id).await.ok()).len(), 0);
    }
    // What only the other action needs is not looked at.
    let query = [&pairs[..], &[("comment_id", "x")]].concat();
    let comment = added(&client.send(post().query(&query)).await.ok());
    let comment_id = comment["id"].to_string();
    let query = [
        ("token", token),
        ("video_id", &id),
        ("action_type", "2"),
        ("comment_id", &comment_id),
        ("comment_text", ""),
    ];
    client.post(ACTION, &query).await.ok();
}

#[tokio::test]
async fn what_is_no_comment_is_refused_and_changes_nothing() {
    let system = shared_system().await;
    let client = system.client();
    let author = client.new_account().await;
    let video_id = publish_video(&client, &author).await;
    let comment_id = write(&client, &author, video_id, "stays").await;
    let (id, comment) = (video_id.to_string(), comment_id.to_string());
    let full = [
        ("token", author.token.as_str()),
        ("video_id", &id),
        ("comment_text", "text"),
        ("comment_id", &comment),
    ];
    let ask = async |action: &str, name: &str, value: Option<&str>| {
        let given = [&full[..], &[("action_type", action)]].concat();
        let query = given.into_iter().filter_map(|pair| match value {
            _ if pair.0 != name => Some(pair),
            Some(value) => Some((pair.0, value)),
            None => None,
        });
        client.post(ACTION, &query.collect::<Vec<_>>()).await
    };
    for action in ["", "0", "3", "-2", "1.5", "two"] {
        assert_names(ask(action, "", None).await, "action_type");
    }
    assert_names(ask("1", "action_type", None).await, "action_type");
    for value in [
        None,
        Some(""),
        Some("0"),
        Some("-1"),
        Some("1.5"),
        Some("x"),
    ] {
        assert_names(ask("1", "video_id", value).await, "video_id");
        assert_names(ask("2", "video_id", value).await, "video_id");
        assert_names(ask("2", "comment_id", value).await, "comment_id");
    }
    for action in ["1", "2"] {
        let nothing = NOTHING.to_string();
        ask(action, "video_id", Some(&nothing)).await.refused(10007);
        ask(action, "token", None).await.refused(10002);
        ask(action, "token", Some("")).await.refused(10002);
        ask(action, "token", Some("not.a.token"))
            .await
            .refused(10003);
    }

    let list = async |query: &[(&str, &str)]| client.comment_list(query).await;
    let token = author.token.as_str();
    let expected: Vec<Value> = comments(&client.comments(video_id).await.ok());
    assert_eq!(ids(&expected), [comment_id]);
    for token in ["", token] {
        let reply = list(&[("video_id", &id), ("token", token)]).await.ok();
        assert_eq!(comments(&reply), expected);
    }
    list(&[("video_id", &id), ("token", "not.a.token")])
        .await
        .refused(10003);
    list(&[("video_id", &NOTHING.to_string())])
        .await
        .refused(10007);
    assert_names(list(&[]).await, "video_id");
    assert_names(list(&[("video_id", "0")]).await, "video_id");
}

/// RPCs and statements of a request.
async fn spent(system: &System, reply: &Reply) -> (i64, i64) {
    let line = access_log_line(system.api(), reply.request_id()).await;
    let spent = |what| field(&line, what).and_then(Value::as_i64).unwrap();
    (spent("rpcs"), spent("sql"))
}

#[tokio::test]
async fn a_warm_comment_or_like_costs_one_rpc_and_at_most_two_trips_to_the_database() {
    let system = system_builder().start().await;
    let client = system.client();
    let account = client.new_account().await;
    let token = &account.token;
    let video_id = publish_video(&client, &account).await;
    // Until the processes know the account, the author and the counts; and on a busy machine Redis may miss a deadline.
    eventually(Duration::from_secs(20), "a cheap comment", async || {
        let reply = client.comment(token, video_id, "好").await;
        reply.clone().ok();
        let (rpcs, sql) = spent(&system, &reply).await;
        (rpcs == 1 && sql <= 2).then_some(())
    })
    .await;
    eventually(Duration::from_secs(20), "a cheap like", async || {
        client.unlike(token, video_id).await.ok();
        let reply = client.like(token, video_id).await;
        reply.clone().ok();
        let (rpcs, sql) = spent(&system, &reply).await;
        (rpcs == 1 && sql <= 2).then_some(())
    })
    .await;
}

#[tokio::test]
async fn of_many_comments_at_once_the_one_under_no_video_fails_alone() {
    let system = shared_system().await;
    let client = system.client();
    let account = client.new_account().await;
    let video_id = publish_video(&client, &account).await;
    let all = (0..24).map(|n| {
        let (client, token) = (client.clone(), account.token.clone());
        let video_id = if n % 8 == 0 { NOTHING } else { video_id };
        async move { client.comment(&token, video_id, &format!("{n}")).await }
    });
    let mut there = HashSet::new();
    for (n, reply) in futures::future::join_all(all).await.into_iter().enumerate() {
        if n % 8 == 0 {
            reply.refused(10007);
            continue;
        }
        let comment = added(&reply.ok());
        assert_eq!(comment["content"], format!("{n}"));
        assert!(there.insert(comment["id"].as_i64().unwrap()));
    }
    let listed = comments(&client.comments(video_id).await.ok());
    assert_eq!(listed.len(), there.len());
    assert!(
        listed
            .iter()
            .all(|comment| there.contains(&comment["id"].as_i64().unwrap()))
    );
}
