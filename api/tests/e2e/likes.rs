//! Likes: idempotent, in the order of the list, and refused with a reason.

use reqwest::Method;
use serde_json::json;
use testkit::{Account, Client, Reply};

use crate::{
    feed::seed,
    scene::{counts, ids, publish_video, seen_by, user_counts},
    shapes::{assert_reply, videos},
    shared_system, system_builder,
};

const ACTION: &str = "/douyin/favorite/action/";
/// An id that no test reaches.
const NO_VIDEO: i64 = 9_007_199_254_740_991;

async fn liked_by(client: &Client, account: &Account) -> Vec<i64> {
    let reply = client.favorite_list(&[("token", &account.token)]).await;
    ids(&videos(&reply.ok()))
}

fn assert_names(reply: Reply, parameter: &str) {
    let body = reply.refused(10001);
    let message = body["status_msg"].as_str().unwrap();
    assert!(
        message.contains(parameter),
        "{message} should name {parameter}"
    );
}

#[tokio::test]
async fn likes_and_unlikes_are_idempotent_and_a_like_keeps_its_place() {
    let system = shared_system().await;
    let client = system.client();
    let (author, fan) = (client.new_account().await, client.new_account().await);
    let (first, second) = (
        publish_video(&client, &author).await,
        publish_video(&client, &author).await,
    );

    assert_reply(&client.like(&fan.token, first).await.ok());
    client.like(&fan.token, second).await.ok();
    assert_eq!(liked_by(&client, &fan).await, [second, first]);
    for _ in 0..2 {
        client.like(&fan.token, first).await.ok();
        assert_eq!(liked_by(&client, &fan).await, [second, first]);
        let video = seen_by(&system, &fan, &author, first).await;
        assert_eq!(counts(&video), (1, 0, true));
    }
    for _ in 0..2 {
        assert_reply(&client.unlike(&fan.token, second).await.ok());
        assert_eq!(liked_by(&client, &fan).await, [first]);
        let video = seen_by(&system, &fan, &author, second).await;
        assert_eq!(counts(&video), (0, 0, false));
    }
    // Liked anew, it is the latest.
    client.like(&fan.token, second).await.ok();
    assert_eq!(liked_by(&client, &fan).await, [second, first]);
    // An author may like the own film as anybody else.
    client.like(&author.token, first).await.ok();
    let video = seen_by(&system, &author, &author, first).await;
    assert_eq!(counts(&video), (2, 0, true));
    assert_eq!(user_counts(&system, &author).await, (3, 1, 2));
}

#[tokio::test]
async fn a_list_of_likes_is_everybodys_to_see_with_the_flags_of_the_viewer() {
    let system = shared_system().await;
    let client = system.client();
    let (author, fan) = (client.new_account().await, client.new_account().await);
    let video_id = publish_video(&client, &author).await;
    client.like(&fan.token, video_id).await.ok();
    let fan_id = fan.user_id.to_string();
    let of_fan = ("user_id", fan_id.as_str());
    for (query, is_favorite) in [
        (vec![("token", fan.token.as_str())], true),
        (vec![of_fan, ("token", &fan.token)], true),
        (vec![of_fan, ("token", &author.token)], false),
        (vec![of_fan], false),
    ] {
        let list = videos(&client.favorite_list(&query).await.ok());
        assert_eq!(ids(&list), [video_id]);
        assert_eq!(counts(&list[0]), (1, 0, is_favorite), "{query:?}");
        assert_eq!(list[0]["author"]["id"], author.user_id);
    }
    let nothing = client.favorite_list(&[("token", &author.token)]).await.ok();
    assert_eq!(videos(&nothing).len(), 0);
    assert_eq!(nothing["has_more"], false);

    client.favorite_list(&[]).await.refused(10002);
    for query in [
        vec![("token", "not.a.token")],
        vec![of_fan, ("token", "not.a.token")],
    ] {
        client.favorite_list(&query).await.refused(10003);
    }
    let nobody = NO_VIDEO.to_string();
    client
        .favorite_list(&[("user_id", &nobody)])
        .await
        .refused(10006);
}

#[tokio::test]
async fn the_list_of_likes_is_bounded_and_pages_on() {
    let system = system_builder().set("page.list", 3).start().await;
    let client = system.client();
    seed(&system, (0..8).map(|n| 1_700_000_000_000 + n)).await;
    let all: Vec<i64> = system.database().column("SELECT id FROM videos").await;
    // Ann wrote them; who registers here is somebody else.
    let fan = client.new_account().await;
    for id in &all {
        client.like(&fan.token, *id).await.ok();
    }
    let ask = async |before: &str| {
        let query = [("token", fan.token.as_str()), ("before", before)];
        client.favorite_list(&query).await
    };
    let (mut shown, mut before) = (Vec::new(), String::new());
    for expected in [3, 3, 2] {
        let reply = ask(&before).await.ok();
        assert_eq!(reply["has_more"], expected == 3, "{}", shown.len());
        before = reply["next_before"].to_string();
        let page = ids(&videos(&reply));
        assert_eq!(page.len(), expected);
        shown.extend(page);
    }
    let latest_first: Vec<i64> = all.iter().rev().copied().collect();
    assert_eq!((shown, before.as_str()), (latest_first, "0"));
    assert_names(ask("x").await, "before");
    assert_names(ask("0").await, "before");
}

#[tokio::test]
async fn a_list_pages_on_whatever_is_taken_away_meanwhile() {
    let system = system_builder().set("page.list", 3).start().await;
    let client = system.client();
    seed(&system, (0..8).map(|n| 1_700_000_000_000 + n)).await;
    let all: Vec<i64> = system.database().column("SELECT id FROM videos").await;
    let fan = client.new_account().await;
    let film = all[0].to_string();
    let mut said = Vec::new();
    for id in &all {
        client.like(&fan.token, *id).await.ok();
        let reply = client.comment(&fan.token, all[0], "说").await.ok();
        said.push(reply["comment"]["id"].as_i64().unwrap());
    }
    let likes = async |before: &str| {
        let query = [("token", fan.token.as_str()), ("before", before)];
        client.favorite_list(&query).await.ok()
    };
    let comments = async |before: &str| {
        let query = [("video_id", film.as_str()), ("before", before)];
        client.comment_list(&query).await.ok()
    };
    let place = |reply: &serde_json::Value| reply["next_before"].to_string();
    let (liked, commented) = (likes("").await, comments("").await);
    // The last one shown, and the first of those that weren't.
    for n in [5, 4] {
        client.unlike(&fan.token, all[n]).await.ok();
        let deleted = client.delete_comment(&fan.token, all[0], said[n]).await;
        deleted.ok();
    }
    let liked = likes(&place(&liked)).await;
    assert_eq!(ids(&videos(&liked)), [all[3], all[2], all[1]]);
    let commented = comments(&place(&commented)).await;
    let page = crate::shapes::comments(&commented);
    assert_eq!(ids(&page), [said[3], said[2], said[1]]);
    assert_eq!(ids(&videos(&likes(&place(&liked)).await)), [all[0]]);
    let rest = comments(&place(&commented)).await;
    assert_eq!(ids(&crate::shapes::comments(&rest)), [said[0]]);
}

#[tokio::test]
async fn a_like_comes_in_every_form_that_parameters_have() {
    let system = shared_system().await;
    let client = system.client();
    let (author, fan) = (client.new_account().await, client.new_account().await);
    let video_id = publish_video(&client, &author).await;
    let id = video_id.to_string();
    let pairs = |action: &'static str| {
        [
            ("token", fan.token.clone()),
            ("video_id", id.clone()),
            ("action_type", action.to_owned()),
        ]
    };
    let post = || client.request(Method::POST, ACTION);
    let requests = |action: &'static str| {
        let number: i64 = action.parse().unwrap();
        [
            post().query(&pairs(action)),
            post().form(&pairs(action)),
            post().query(&pairs(action)[1..]).bearer_auth(&fan.token),
            post().json(&json!({"token": fan.token, "video_id": video_id, "action_type": number})),
            post().json(&json!({"token": fan.token, "video_id": id, "action_type": action})),
            post().json(&json!({"token": fan.token, "video_id": video_id as f64, "action_type": number as f64})),
            post().query(&[("token", fan.token.as_str()), ("video_id", &format!("{id}.0")), ("action_type", &format!("{action}e+00"))]),
            // The query wins over the body.
            post().query(&pairs(action)).form(&[("video_id", "x"), ("action_type", "x"), ("token", "x")]),
        ]
    };
    for (like, unlike) in requests("1").into_iter().zip(requests("2")) {
        client.send(like).await.ok();
        assert_eq!(liked_by(&client, &fan).await, [video_id]);
        client.send(unlike).await.ok();
        assert_eq!(liked_by(&client, &fan).await, [0_i64; 0]);
    }
}

#[tokio::test]
async fn what_is_no_like_is_refused_and_changes_nothing() {
    let system = shared_system().await;
    let client = system.client();
    let (author, fan) = (client.new_account().await, client.new_account().await);
    let video_id = publish_video(&client, &author).await;
    client.like(&fan.token, video_id).await.ok();
    client.like(&fan.token, NO_VIDEO).await.refused(10007);
    client.unlike(&fan.token, NO_VIDEO).await.refused(10007);

    let id = video_id.to_string();
    let ask = async |token: &str, video_id: &str, action: &str| {
        let query = [
            ("token", token),
            ("video_id", video_id),
            ("action_type", action),
        ];
        client.post(ACTION, &query).await
    };
    for action in ["", "0", "3", "-1", "1.5", "one", "9223372036854775808"] {
        assert_names(ask(&fan.token, &id, action).await, "action_type");
    }
    for video_id in ["", "0", "-1", "1.5", "x", "9223372036854775808"] {
        for action in ["1", "2"] {
            assert_names(ask(&fan.token, video_id, action).await, "video_id");
        }
    }
    let without = async |name: &str| {
        let query = [
            ("token", fan.token.as_str()),
            ("video_id", &id),
            ("action_type", "2"),
        ];
        let rest: Vec<_> = query.into_iter().filter(|pair| pair.0 != name).collect();
        client.post(ACTION, &rest).await
    };
    assert_names(without("action_type").await, "action_type");
    assert_names(without("video_id").await, "video_id");
    without("token").await.refused(10002);
    ask("", &id, "2").await.refused(10002);
    ask("not.a.token", &id, "2").await.refused(10003);

    let video = seen_by(&system, &fan, &author, video_id).await;
    assert_eq!(counts(&video), (1, 0, true));
}
