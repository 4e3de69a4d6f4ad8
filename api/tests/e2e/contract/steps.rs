//! The steps of the public reference suite, as its client and as others write them; twice on the same data.

use reqwest::Method;
use serde_json::Value;
use testkit::{Client, Reply, media};

use super::locations::{Location, Pairs};
use crate::{
    scene::ids,
    shapes::{
        added, assert_no_session, assert_session, assert_user, comments, feed_page, friends,
        messages, users, videos,
    },
    system_builder,
};

/// How a client writes its requests.
struct ClientStyle {
    name: &'static str,
    /// Of a POST.
    writes: Location,
    /// Of a GET.
    reads: Location,
    /// How it writes the id of something.
    id: fn(i64) -> String,
}

const CLIENTS: [ClientStyle; 3] = [
    ClientStyle {
        name: "reference",
        writes: Location::QueryAndForm,
        reads: Location::Form,
        // It went through float64.
        id: |id| format!("{id}.0"),
    },
    ClientStyle {
        name: "query",
        writes: Location::Query,
        reads: Location::Query,
        id: |id| format!("{id}e+00"),
    },
    ClientStyle {
        name: "json",
        writes: Location::JsonTexts,
        reads: Location::JsonTexts,
        id: |id| id.to_string(),
    },
];

impl ClientStyle {
    async fn post(&self, client: &Client, path: &str, pairs: Pairs) -> Reply {
        let request = self.writes.request(client, &Method::POST, path, &pairs);
        client.send(request).await
    }

    async fn get(&self, client: &Client, path: &str, pairs: Pairs) -> Reply {
        let request = self.reads.request(client, &Method::GET, path, &pairs);
        client.send(request).await
    }
}

fn entry(list: &[Value], id: i64) -> &Value {
    let found = list.iter().find(|entry| entry["id"] == id);
    found.unwrap_or_else(|| panic!("{id} is not in {list:#?}"))
}

/// All steps once.
async fn walk(client: &Client, style: &ClientStyle, round: usize) {
    let name = format!("{}-{round}", style.name);
    let session = || {
        vec![
            ("username", name.clone()),
            ("password", "123456".to_owned()),
        ]
    };
    let registered = style
        .post(client, "/douyin/user/register/", session())
        .await
        .ok();
    assert_session(&registered);
    let again = style
        .post(client, "/douyin/user/register/", session())
        .await;
    assert_no_session(&again.refused(10005));
    let login = style
        .post(client, "/douyin/user/login/", session())
        .await
        .ok();
    assert_session(&login);
    assert_eq!(login["user_id"], registered["user_id"]);
    let user_id = login["user_id"].as_i64().unwrap();
    let token = || ("token", login["token"].as_str().unwrap().to_owned());

    // By the token alone.
    let user = style.get(client, "/douyin/user/", vec![token()]).await.ok();
    assert_user(&user["user"]);
    assert_eq!(
        (&user["user"]["id"], &user["user"]["name"]),
        (&user_id.into(), &name.as_str().into())
    );

    client
        .publish(&token().1, &format!("Film of {name}"), media::mp4())
        .await
        .ok();
    let whose = || vec![token(), ("user_id", (style.id)(user_id))];
    let works = videos(
        &style
            .get(client, "/douyin/publish/list/", whose())
            .await
            .ok(),
    );
    assert_eq!(works.len(), 1);
    assert_eq!(works[0]["title"], format!("Film of {name}"));
    let video_id = works[0]["id"].as_i64().unwrap();
    let (page, next_time) =
        feed_page(&style.get(client, "/douyin/feed/", vec![token()]).await.ok());
    assert_eq!(page[0]["id"], video_id);
    assert_eq!(page.last().unwrap()["create_time"], next_time);

    let which = || ("video_id", (style.id)(video_id));
    let like = |action: i64| vec![token(), which(), ("action_type", (style.id)(action))];
    for _ in 0..2 {
        style
            .post(client, "/douyin/favorite/action/", like(1))
            .await
            .ok();
        let liked = videos(
            &style
                .get(client, "/douyin/favorite/list/", whose())
                .await
                .ok(),
        );
        let video = entry(&liked, video_id);
        assert_eq!(
            (&video["favorite_count"], &video["is_favorite"]),
            (&1.into(), &true.into())
        );
        assert_eq!(liked.len(), 1);
    }
    let text = format!("{name} 觉得不错 & 100 %");
    let write = vec![
        token(),
        which(),
        ("action_type", "1".to_owned()),
        ("comment_text", text.clone()),
    ];
    let comment = added(
        &style
            .post(client, "/douyin/comment/action/", write)
            .await
            .ok(),
    );
    assert_eq!(
        (&comment["content"], &comment["user"]["id"]),
        (&text.into(), &user_id.into())
    );
    let comment_id = comment["id"].as_i64().unwrap();
    let under = || vec![token(), which()];
    let list = comments(
        &style
            .get(client, "/douyin/comment/list/", under())
            .await
            .ok(),
    );
    assert_eq!(ids(&list), [comment_id]);
    let (page, _) = feed_page(&style.get(client, "/douyin/feed/", vec![token()]).await.ok());
    assert_eq!(entry(&page, video_id)["comment_count"], 1);
    let delete = vec![
        token(),
        which(),
        ("action_type", "2".to_owned()),
        ("comment_id", (style.id)(comment_id)),
    ];
    style
        .post(client, "/douyin/comment/action/", delete)
        .await
        .ok();
    let list = comments(
        &style
            .get(client, "/douyin/comment/list/", under())
            .await
            .ok(),
    );
    assert!(list.is_empty());
    for _ in 0..2 {
        style
            .post(client, "/douyin/favorite/action/", like(2))
            .await
            .ok();
    }
    let liked = videos(
        &style
            .get(client, "/douyin/favorite/list/", whose())
            .await
            .ok(),
    );
    assert!(liked.is_empty());
}

/// The steps of relations and of chat: two users, registered in an earlier round or now.
async fn walk_of_two(client: &Client, style: &ClientStyle) {
    let mut sessions = Vec::new();
    for which in ["a", "b"] {
        let session = || {
            vec![
                ("username", format!("{}-{which}", style.name)),
                ("password", "123456".to_owned()),
            ]
        };
        style
            .post(client, "/douyin/user/register/", session())
            .await;
        let login = style.post(client, "/douyin/user/login/", session()).await;
        sessions.push(login.ok());
    }
    let user_id = |n: usize| sessions[n]["user_id"].as_i64().unwrap();
    let token = |n: usize| ("token", sessions[n]["token"].as_str().unwrap().to_owned());
    let to_b = || ("to_user_id", (style.id)(user_id(1)));
    let act = |action: i64| vec![token(0), to_b(), ("action_type", (style.id)(action))];
    let list = async |which: &str, n: usize| {
        let path = format!("/douyin/relation/{which}/list/");
        let whose = vec![token(n), ("user_id", (style.id)(user_id(n)))];
        style.get(client, &path, whose).await.ok()
    };
    style
        .post(client, "/douyin/relation/action/", act(1))
        .await
        .ok();
    let follows = users(&list("follow", 0).await);
    assert_eq!(entry(&follows, user_id(1))["is_follow"], true);
    let followers = users(&list("follower", 1).await);
    assert_eq!(entry(&followers, user_id(0))["follow_count"], 1);
    let back = vec![
        token(1),
        ("to_user_id", (style.id)(user_id(0))),
        ("action_type", "1".to_owned()),
    ];
    style
        .post(client, "/douyin/relation/action/", back)
        .await
        .ok();
    let text = format!("你好, {} & 100 %", style.name);
    let send = vec![
        token(0),
        to_b(),
        ("action_type", (style.id)(1)),
        ("content", text.clone()),
    ];
    style
        .post(client, "/douyin/message/action/", send)
        .await
        .ok();
    let chat = async |n: usize, after: i64| {
        let pairs = vec![
            token(n),
            ("to_user_id", (style.id)(user_id(1 - n))),
            ("pre_msg_time", (style.id)(after)),
        ];
        messages(&style.get(client, "/douyin/message/chat/", pairs).await.ok())
    };
    let seen = chat(1, 0).await;
    let last = seen.last().unwrap();
    assert_eq!(
        (&last["content"], &last["from_user_id"], &last["to_user_id"]),
        (
            &text.as_str().into(),
            &user_id(0).into(),
            &user_id(1).into()
        )
    );
    assert_eq!(chat(0, 0).await, seen);
    let newest = last["create_time"].as_i64().unwrap();
    assert!(chat(0, newest).await.is_empty());
    for (n, msg_type) in [(0, 1), (1, 0)] {
        let friends = friends(&list("friend", n).await);
        let friend = entry(&friends, user_id(1 - n));
        assert_eq!(
            (&friend["message"], &friend["msgType"]),
            (&text.as_str().into(), &msg_type.into())
        );
    }
    for _ in 0..2 {
        style
            .post(client, "/douyin/relation/action/", act(2))
            .await
            .ok();
    }
    assert!(users(&list("follow", 0).await).is_empty());
    assert!(friends(&list("friend", 1).await).is_empty());
}

#[tokio::test]
async fn the_steps_of_the_reference_suite_hold_for_every_client_twice_on_the_same_data() {
    let system = system_builder().start().await;
    let client = system.client();
    for round in 0..2 {
        for style in &CLIENTS {
            walk(&client, style, round).await;
            walk_of_two(&client, style).await;
        }
    }
    let published: i64 = system.database().value("SELECT COUNT(*) FROM videos").await;
    assert_eq!(published, 6);
}
