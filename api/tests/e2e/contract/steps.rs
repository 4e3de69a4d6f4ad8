//! The steps of the public reference suite, as its client and as others write them; twice on the same data.

use reqwest::Method;
use serde_json::Value;
use testkit::{Client, Reply, media};

use super::places::{Pairs, Place};
use crate::{
    scene::ids,
    shapes::{added, assert_no_session, assert_session, assert_user, comments, feed_page, videos},
    system_builder,
};

/// A client, by its habits.
struct Habits {
    name: &'static str,
    /// Of a POST.
    writes: Place,
    /// Of a GET.
    reads: Place,
    /// How it writes the id of something.
    id: fn(i64) -> String,
}

const CLIENTS: [Habits; 3] = [
    Habits {
        name: "reference",
        writes: Place::QueryAndForm,
        reads: Place::Form,
        // It went through float64.
        id: |id| format!("{id}.0"),
    },
    Habits {
        name: "query",
        writes: Place::Query,
        reads: Place::Query,
        id: |id| format!("{id}e+00"),
    },
    Habits {
        name: "json",
        writes: Place::JsonTexts,
        reads: Place::JsonTexts,
        id: |id| id.to_string(),
    },
];

impl Habits {
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
async fn walk(client: &Client, habits: &Habits, round: usize) {
    let name = format!("{}-{round}", habits.name);
    let session = || {
        vec![
            ("username", name.clone()),
            ("password", "123456".to_owned()),
        ]
    };
    let registered = habits
        .post(client, "/douyin/user/register/", session())
        .await
        .ok();
    assert_session(&registered);
    let again = habits
        .post(client, "/douyin/user/register/", session())
        .await;
    assert_no_session(&again.refused(10005));
    let login = habits
        .post(client, "/douyin/user/login/", session())
        .await
        .ok();
    assert_session(&login);
    assert_eq!(login["user_id"], registered["user_id"]);
    let user_id = login["user_id"].as_i64().unwrap();
    let token = || ("token", login["token"].as_str().unwrap().to_owned());

    // By the token alone.
    let user = habits
        .get(client, "/douyin/user/", vec![token()])
        .await
        .ok();
    assert_user(&user["user"]);
    assert_eq!(
        (&user["user"]["id"], &user["user"]["name"]),
        (&user_id.into(), &name.as_str().into())
    );

    client
        .publish(&token().1, &format!("Film of {name}"), media::mp4())
        .await
        .ok();
    let whose = || vec![token(), ("user_id", (habits.id)(user_id))];
    let works = videos(
        &habits
            .get(client, "/douyin/publish/list/", whose())
            .await
            .ok(),
    );
    assert_eq!(works.len(), 1);
    assert_eq!(works[0]["title"], format!("Film of {name}"));
    let video_id = works[0]["id"].as_i64().unwrap();
    let (page, next_time) = feed_page(
        &habits
            .get(client, "/douyin/feed/", vec![token()])
            .await
            .ok(),
    );
    assert_eq!(page[0]["id"], video_id);
    assert_eq!(page.last().unwrap()["create_time"], next_time);

    let which = || ("video_id", (habits.id)(video_id));
    let like = |action: i64| vec![token(), which(), ("action_type", (habits.id)(action))];
    for _ in 0..2 {
        habits
            .post(client, "/douyin/favorite/action/", like(1))
            .await
            .ok();
        let liked = videos(
            &habits
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
        &habits
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
        &habits
            .get(client, "/douyin/comment/list/", under())
            .await
            .ok(),
    );
    assert_eq!(ids(&list), [comment_id]);
    let (page, _) = feed_page(
        &habits
            .get(client, "/douyin/feed/", vec![token()])
            .await
            .ok(),
    );
    assert_eq!(entry(&page, video_id)["comment_count"], 1);
    let delete = vec![
        token(),
        which(),
        ("action_type", "2".to_owned()),
        ("comment_id", (habits.id)(comment_id)),
    ];
    habits
        .post(client, "/douyin/comment/action/", delete)
        .await
        .ok();
    let list = comments(
        &habits
            .get(client, "/douyin/comment/list/", under())
            .await
            .ok(),
    );
    assert!(list.is_empty());
    for _ in 0..2 {
        habits
            .post(client, "/douyin/favorite/action/", like(2))
            .await
            .ok();
    }
    let liked = videos(
        &habits
            .get(client, "/douyin/favorite/list/", whose())
            .await
            .ok(),
    );
    assert!(liked.is_empty());
}

#[tokio::test]
async fn the_steps_of_the_reference_suite_hold_for_every_client_twice_on_the_same_data() {
    let system = system_builder().start().await;
    let client = system.client();
    for round in 0..2 {
        for habits in &CLIENTS {
            walk(&client, habits, round).await;
        }
    }
    let published: i64 = system.database().value("SELECT COUNT(*) FROM videos").await;
    assert_eq!(published, 6);
}
