//! Set-up for tests of likes and comments: videos with an audience, and what it sees.

use std::time::Duration;

use serde_json::Value;
use testkit::{Account, Client, System, eventually, media};

use crate::shapes::{feed_page, videos};

/// By when an API that has just been started has found the services.
const READY: Duration = Duration::from_secs(30);

/// Publishes a video of `author`, and gives its id.
pub async fn publish_video(client: &Client, author: &Account) -> i64 {
    client
        .publish(&author.token, "A film to like", media::mp4())
        .await
        .ok();
    let works = videos(&client.works(author.user_id).await.ok());
    works[0]["id"].as_i64().unwrap()
}

/// A client of each process of the API, once it has found the services.
pub async fn each_api(system: &System) -> Vec<Client> {
    let mut apis = Vec::new();
    for process in system.instances("api") {
        let api = Client::new(&format!("http://{}", process.address().await));
        eventually(READY, "an API that has found the services", async || {
            let reply = api.get("/readyz", &[]).await;
            (reply.body["state"] == "up").then_some(())
        })
        .await;
        apis.push(api);
    }
    apis
}

/// A film as `viewer` sees it, on the feed and in its author's list, each from a connection of its own; both must agree.
pub async fn seen_by(system: &System, viewer: &Account, author: &Account, video_id: i64) -> Value {
    let author_id = author.user_id.to_string();
    let query = [("user_id", author_id.as_str()), ("token", &viewer.token)];
    let works = videos(&system.client().publish_list(&query).await.ok());
    let work = works.into_iter().find(|work| work["id"] == video_id);
    let work = work.expect("the film in its author's list");

    // Others publish too: on the page before the next millisecond it is the first.
    let before = work["create_time"].as_i64().unwrap() + 1;
    let before = before.to_string();
    let query = [("latest_time", before.as_str()), ("token", &viewer.token)];
    let (page, _) = feed_page(&system.client().feed(&query).await.ok());
    for name in [
        "id",
        "favorite_count",
        "comment_count",
        "is_favorite",
        "author",
    ] {
        assert_eq!(
            page[0][name], work[name],
            "{name} on the feed and in the list"
        );
    }
    work
}

/// Likes, comments, and whether the viewer likes it.
pub fn counts(video: &Value) -> (i64, i64, bool) {
    (
        video["favorite_count"].as_i64().unwrap(),
        video["comment_count"].as_i64().unwrap(),
        video["is_favorite"].as_bool().unwrap(),
    )
}

/// A user's likes received, likes given, and works; from a connection of its own.
pub async fn user_counts(system: &System, account: &Account) -> (i64, i64, i64) {
    let reply = system.client().user(account.user_id, &account.token).await;
    let user = &reply.ok()["user"];
    (
        user["total_favorited"].as_i64().unwrap(),
        user["favorite_count"].as_i64().unwrap(),
        user["work_count"].as_i64().unwrap(),
    )
}

/// The ids in a list of videos or comments, in its order.
pub fn ids(list: &[Value]) -> Vec<i64> {
    list.iter()
        .map(|entry| entry["id"].as_i64().unwrap())
        .collect()
}
