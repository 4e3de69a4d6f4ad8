//! Follows: idempotent, counted, in both lists, and shown in every user of every reply.

use std::collections::BTreeSet;

use serde_json::Value;
use testkit::{Account, Client, System};

use crate::{
    scene::{ids, publish_video},
    shapes::{comments, feed_page, friends, users, videos},
    shared_system, system_builder,
};

/// An id that no test reaches.
const NOBODY: i64 = 9_007_199_254_740_991;

/// From a connection of its own; without a token if there is no viewer.
async fn list(
    system: &System,
    which: &str,
    owner: &Account,
    viewer: Option<&Account>,
) -> Vec<Value> {
    let owner = owner.user_id.to_string();
    let mut query = vec![("user_id", owner.as_str())];
    query.extend(viewer.map(|viewer| ("token", viewer.token.as_str())));
    users(&system.client().relation_list(which, &query).await.ok())
}

/// Follows, followers, and whether the viewer follows them; as a user page and both lists say.
async fn counts(system: &System, account: &Account, viewer: &Account) -> (i64, i64, bool) {
    let reply = system.client().user(account.user_id, &viewer.token).await;
    let user = &reply.ok()["user"];
    let follows = list(system, "follow", account, None).await.len();
    let followers = list(system, "follower", account, None).await.len();
    assert_eq!(user["follow_count"], follows, "{user:#}");
    assert_eq!(user["follower_count"], followers, "{user:#}");
    (
        user["follow_count"].as_i64().unwrap(),
        user["follower_count"].as_i64().unwrap(),
        user["is_follow"].as_bool().unwrap(),
    )
}

async fn accounts<const N: usize>(client: &Client) -> [Account; N] {
    let mut accounts = Vec::new();
    for _ in 0..N {
        accounts.push(client.new_account().await);
    }
    accounts.try_into().unwrap()
}

#[tokio::test]
async fn follows_and_unfollows_are_idempotent_counted_and_in_both_lists_at_once() {
    let system = shared_system().await;
    let client = system.client();
    let [ann, bob, eve] = accounts(&client).await;
    for _ in 0..2 {
        client.follow(&ann.token, bob.user_id).await.ok();
        assert_eq!(counts(&system, &bob, &ann).await, (0, 1, true));
        assert_eq!(counts(&system, &ann, &bob).await, (1, 0, false));
    }
    client.follow(&ann.token, eve.user_id).await.ok();
    client.follow(&eve.token, bob.user_id).await.ok();
    // A repeated follow keeps its place.
    client.follow(&ann.token, bob.user_id).await.ok();
    let follows = list(&system, "follow", &ann, Some(&ann)).await;
    assert_eq!(ids(&follows), [eve.user_id, bob.user_id]);
    let followers = list(&system, "follower", &bob, Some(&ann)).await;
    assert_eq!(ids(&followers), [eve.user_id, ann.user_id]);
    // The flags are the viewer's, not the owner's; the counts come along.
    let flags = |list: &[Value]| -> Vec<bool> {
        list.iter()
            .map(|user| user["is_follow"].as_bool().unwrap())
            .collect()
    };
    assert_eq!(flags(&followers), [true, false]);
    assert_eq!(flags(&follows), [true, true]);
    assert_eq!(
        flags(&list(&system, "follow", &ann, Some(&eve)).await),
        [false, true]
    );
    assert_eq!(
        flags(&list(&system, "follow", &ann, None).await),
        [false, false]
    );
    assert_eq!(followers[0]["follow_count"], 1);
    assert_eq!(followers[0]["follower_count"], 1);
    for _ in 0..2 {
        client.unfollow(&ann.token, bob.user_id).await.ok();
        assert_eq!(counts(&system, &bob, &ann).await, (0, 1, false));
        assert_eq!(counts(&system, &ann, &bob).await, (1, 0, false));
    }
    // Followed anew, it is the latest.
    client.follow(&ann.token, bob.user_id).await.ok();
    let follows = list(&system, "follow", &ann, None).await;
    assert_eq!(ids(&follows), [bob.user_id, eve.user_id]);
}

#[tokio::test]
async fn nobody_follows_themself_or_nobody() {
    let system = shared_system().await;
    let client = system.client();
    let [ann] = accounts(&client).await;
    let refused = client.follow(&ann.token, ann.user_id).await;
    let message = refused.refused(10001)["status_msg"].to_string();
    assert!(message.contains("to_user_id: must not be you"), "{message}");
    client.follow(&ann.token, NOBODY).await.refused(10006);
    client.unfollow(&ann.token, NOBODY).await.refused(10006);
    // Whose account is gone follows nobody.
    let [bob] = accounts(&client).await;
    let gone = testkit::token_of(NOBODY, std::time::Duration::from_secs(60));
    client.follow(&gone, bob.user_id).await.refused(10003);
    assert_eq!(counts(&system, &bob, &ann).await, (0, 0, false));
    assert_eq!(counts(&system, &ann, &bob).await, (0, 0, false));
}

#[tokio::test]
async fn every_user_of_every_reply_says_whether_the_viewer_follows_them() {
    let system = system_builder().start().await;
    let client = system.client();
    let [author, fan, stranger] = accounts(&client).await;
    let video_id = publish_video(&client, &author).await;
    client.comment(&author.token, video_id, "Mine").await.ok();
    client.like(&fan.token, video_id).await.ok();
    let author_id = author.user_id.to_string();
    for is_follow in [false, true, false] {
        match is_follow {
            true => client.follow(&fan.token, author.user_id).await.ok(),
            false => client.unfollow(&fan.token, author.user_id).await.ok(),
        };
        for (viewer, is_follow) in [
            (Some(&fan), is_follow),
            (Some(&stranger), false),
            (None, false),
        ] {
            let token = viewer.map(|viewer| ("token", viewer.token.as_str()));
            let query = |more: &[(&'static str, String)]| -> Vec<(&str, String)> {
                let token = token.map(|(name, token)| (name, token.to_owned()));
                more.iter().cloned().chain(token).collect()
            };
            let get = async |path: &str, more: &[(&'static str, String)]| {
                let query = query(more);
                let query: Vec<(&str, &str)> =
                    query.iter().map(|(n, v)| (*n, v.as_str())).collect();
                system.client().get(path, &query).await.ok()
            };
            let whose = ("user_id", author_id.clone());
            let (feed, _) = feed_page(&get("/douyin/feed/", &[]).await);
            assert_eq!(feed[0]["author"]["is_follow"], is_follow, "feed");
            assert_eq!(
                feed[0]["author"]["follower_count"],
                i64::from(matches!(
                    client.user(author.user_id, &fan.token).await.ok()["user"]["is_follow"]
                        .as_bool(),
                    Some(true)
                ))
            );
            let works = videos(&get("/douyin/publish/list/", std::slice::from_ref(&whose)).await);
            assert_eq!(works[0]["author"]["is_follow"], is_follow, "works");
            let fans = ("user_id", fan.user_id.to_string());
            let likes = videos(&get("/douyin/favorite/list/", &[fans]).await);
            assert_eq!(likes[0]["author"]["is_follow"], is_follow, "likes");
            let under = ("video_id", video_id.to_string());
            let written = comments(&get("/douyin/comment/list/", &[under]).await);
            assert_eq!(written[0]["user"]["is_follow"], is_follow, "comments");
            let user = get("/douyin/user/", &[whose]).await;
            assert_eq!(user["user"]["is_follow"], is_follow, "user");
        }
    }
}

#[tokio::test]
async fn friends_follow_each_other_and_the_latest_message_comes_first() {
    let system = shared_system().await;
    let client = system.client();
    let [ann, bob, eve, joe, ray] = accounts(&client).await;
    for other in [&bob, &eve, &joe, &ray] {
        client.follow(&ann.token, other.user_id).await.ok();
    }
    // Ray doesn't follow back.
    for other in [&bob, &eve, &joe] {
        client.follow(&other.token, ann.user_id).await.ok();
    }
    let friends = async |account: &Account| {
        let list = system
            .client()
            .relation_list("friend", &[("token", &account.token)])
            .await;
        friends(&list.ok())
    };
    let named = |friends: &[Value]| -> Vec<(i64, String, i64)> {
        let of = |friend: &Value| {
            let message = friend["message"].as_str().unwrap().to_owned();
            (
                friend["id"].as_i64().unwrap(),
                message,
                friend["msgType"].as_i64().unwrap(),
            )
        };
        friends.iter().map(of).collect()
    };
    let text = str::to_owned;
    let silent = named(&friends(&ann).await);
    let expected = [&joe, &eve, &bob].map(|friend| (friend.user_id, text(""), 0));
    assert_eq!(silent, expected);
    client
        .send_message(&ann.token, bob.user_id, "to Bob")
        .await
        .ok();
    client
        .send_message(&eve.token, ann.user_id, "to Ann")
        .await
        .ok();
    client
        .send_message(&ray.token, ann.user_id, "no friend")
        .await
        .ok();
    assert_eq!(
        named(&friends(&ann).await),
        [
            (eve.user_id, text("to Ann"), 0),
            (bob.user_id, text("to Bob"), 1),
            (joe.user_id, text(""), 0)
        ]
    );
    assert_eq!(
        named(&friends(&bob).await),
        [(ann.user_id, text("to Bob"), 0)]
    );
    client
        .send_message(&bob.token, ann.user_id, "to Ann, too")
        .await
        .ok();
    assert_eq!(
        named(&friends(&ann).await)[0],
        (bob.user_id, text("to Ann, too"), 0)
    );
    client.unfollow(&bob.token, ann.user_id).await.ok();
    let left: BTreeSet<i64> = ids(&friends(&ann).await).into_iter().collect();
    assert_eq!(left, [eve.user_id, joe.user_id].into());
    assert!(friends(&bob).await.is_empty());
    let another = [
        ("token", ann.token.as_str()),
        ("user_id", &bob.user_id.to_string()),
    ];
    client
        .relation_list("friend", &another)
        .await
        .refused(10009);
}

#[tokio::test]
async fn lists_of_users_are_read_page_by_page_and_nothing_is_twice_or_left_out() {
    let system = system_builder().set("page.list", 2).start().await;
    let client = system.client();
    let [ann, a, b, c, d, e] = accounts(&client).await;
    let others = [&a, &b, &c, &d, &e];
    for other in others {
        client.follow(&ann.token, other.user_id).await.ok();
        client.follow(&other.token, ann.user_id).await.ok();
    }
    client
        .send_message(&a.token, ann.user_id, "first in the list of friends")
        .await
        .ok();
    let newest_first: Vec<i64> = others.iter().rev().map(|other| other.user_id).collect();
    let by_message = [&a, &e, &d, &c, &b].map(|other| other.user_id).to_vec();
    for (which, expected) in [
        ("follow", &newest_first),
        ("follower", &newest_first),
        ("friend", &by_message),
    ] {
        let (mut seen, mut before) = (Vec::new(), String::new());
        loop {
            let query = [("token", ann.token.as_str()), ("before", &before)];
            let reply = client.relation_list(which, &query).await.ok();
            let page = ids(&users(&reply));
            assert!(page.len() <= 2);
            seen.extend(page);
            if reply["has_more"] == false {
                assert_eq!(reply["next_before"], 0);
                break;
            }
            before = reply["next_before"].to_string();
        }
        assert_eq!(&seen, expected, "{which}");
    }
}
