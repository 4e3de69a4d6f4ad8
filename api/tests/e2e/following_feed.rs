//! The feed of those whom a user follows.

use serde_json::Value;
use testkit::{Account, System};

use crate::{
    feed::seed,
    scene::{ids, publish_video},
    shapes::feed_page,
    system_builder,
};

async fn following(system: &System, account: &Account, latest_time: &str) -> (Vec<Value>, i64) {
    let query = [
        ("token", account.token.as_str()),
        ("latest_time", latest_time),
    ];
    feed_page(
        &system
            .client()
            .get("/douyin/feed/following/", &query)
            .await
            .ok(),
    )
}

#[tokio::test]
async fn it_has_the_videos_of_those_who_are_followed_and_no_others_newest_first() {
    let system = system_builder().start().await;
    let client = system.client();
    let (ann, bob) = (client.new_account().await, client.new_account().await);
    let (eve, fan) = (client.new_account().await, client.new_account().await);
    let mut films = Vec::new();
    for author in [&ann, &eve, &bob, &ann] {
        films.push(publish_video(&client, author).await);
    }
    let (nothing, next_time) = following(&system, &fan, "").await;
    assert!(nothing.is_empty());
    assert!(next_time > 1_700_000_000_000, "{next_time}");
    client.follow(&fan.token, ann.user_id).await.ok();
    client.follow(&fan.token, bob.user_id).await.ok();
    client.like(&fan.token, films[2]).await.ok();
    let (page, next_time) = following(&system, &fan, "").await;
    assert_eq!(ids(&page), [films[3], films[2], films[0]]);
    assert_eq!(page[2]["create_time"], next_time);
    for video in &page {
        assert_eq!(video["author"]["is_follow"], true);
        assert_eq!(video["is_favorite"], video["id"] == films[2]);
        assert_eq!(video["author"]["follower_count"], 1);
    }
    let newest = page[0]["create_time"].to_string();
    let (page, _) = following(&system, &fan, &newest).await;
    assert_eq!(ids(&page), [films[2], films[0]]);
    client.unfollow(&fan.token, ann.user_id).await.ok();
    let (page, next_time) = following(&system, &fan, "").await;
    assert_eq!(ids(&page), [films[2]]);
    let (page, _) = following(&system, &fan, &next_time.to_string()).await;
    assert!(page.is_empty());
    let no_token = client.get("/douyin/feed/following/", &[]).await;
    no_token.refused(10002);
}

#[tokio::test]
async fn all_of_it_is_read_page_by_page() {
    let system = system_builder().start().await;
    let client = system.client();
    let fan = client.new_account().await;
    seed(&system, (0..90).map(|n| 1_700_000_000_000 + n * 1001)).await;
    // Of the three authors of what is seeded one is the fan.
    for author in [1, 2, 3] {
        let own = author == fan.user_id;
        let reply = client.follow(&fan.token, author).await;
        assert_eq!(reply.code(), if own { 10001 } else { 0 });
    }
    let others = format!(
        "SELECT id FROM videos WHERE author_id <> {} ORDER BY published_ms DESC",
        fan.user_id
    );
    let all: Vec<i64> = system.database().column(&others).await;
    assert_eq!(all.len(), 60);
    let (mut seen, mut latest_time) = (Vec::new(), String::new());
    loop {
        let (page, next_time) = following(&system, &fan, &latest_time).await;
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 30);
        seen.extend(ids(&page));
        latest_time = next_time.to_string();
    }
    assert_eq!(seen, all);
}
