//! Deleted videos: nothing of them stays, whoever is killed meanwhile.

use std::time::Duration;

use serde_json::Value;
use testkit::{Account, Client, Reply, System, eventually};

use crate::{
    scene::{ids, publish_video, user_counts},
    shapes::{feed_page, videos},
    shared_system, system_builder,
};

/// Until what a killed process has left is carried on: a pass every two seconds, on a busy machine.
const CARRIED_ON: Duration = Duration::from_secs(30);

async fn delete(client: &Client, token: &str, video_id: i64) -> Reply {
    let id = video_id.to_string();
    let query = [("token", token), ("video_id", &id)];
    client.post("/douyin/publish/delete/", &query).await
}

/// A video with a like and a comment.
async fn beloved(client: &Client, author: &Account, fan: &Account) -> i64 {
    let video_id = publish_video(client, author).await;
    client.like(&fan.token, video_id).await.ok();
    client.comment(&fan.token, video_id, "Nice").await.ok();
    video_id
}

/// Nobody is shown the video or may write to it.
async fn assert_gone(system: &System, author: &Account, fan: &Account, video_id: i64) {
    let client = system.client();
    client.video(video_id, &author.token).await.refused(10007);
    client.comments(video_id).await.refused(10007);
    client.like(&fan.token, video_id).await.refused(10007);
    client.unlike(&fan.token, video_id).await.refused(10007);
    let comment = client.comment(&fan.token, video_id, "Late").await;
    comment.refused(10007);
    assert!(videos(&client.works(author.user_id).await.ok()).is_empty());
    let likes = client.favorite_list(&[("token", &fan.token)]).await;
    assert!(videos(&likes.ok()).is_empty());
    let (page, _) = feed_page(&client.feed(&[("token", &author.token)]).await.ok());
    assert!(!ids(&page).contains(&video_id));
}

#[tokio::test]
async fn a_deleted_video_takes_its_likes_comments_counts_and_files_with_it() {
    let system = shared_system().await;
    let client = system.client();
    let (author, fan) = (client.new_account().await, client.new_account().await);
    let video_id = beloved(&client, &author, &fan).await;
    client.like(&author.token, video_id).await.ok();
    let video = client.video(video_id, "").await.ok()["video"].take();
    delete(&client, &fan.token, video_id).await.refused(10009);
    assert_eq!(user_counts(&system, &author).await, (2, 1, 1));

    delete(&client, &author.token, video_id).await.ok();
    assert_eq!(user_counts(&system, &author).await, (0, 0, 0));
    assert_eq!(user_counts(&system, &fan).await, (0, 0, 0));
    assert_gone(&system, &author, &fan, video_id).await;
    for url in ["play_url", "cover_url"] {
        // What a busy machine leaves of a deletion, the next pass completes.
        eventually(CARRIED_ON, url, async || {
            let (status, ..) = client.fetch(video[url].as_str().unwrap(), None).await;
            (status == 404).then_some(())
        })
        .await;
    }
    delete(&client, &author.token, video_id)
        .await
        .refused(10007);
}

/// Where a deletion is held up, as SQL.
const GATES: [&str; 4] = [
    "SELECT id FROM videos WHERE id = {id} FOR UPDATE",
    "SELECT user_id FROM favorites WHERE video_id = {id} FOR UPDATE",
    "SELECT id FROM comments WHERE video_id = {id} FOR UPDATE",
    LAST,
];
/// Before the last step. The row isn't there before the first one, so another gate comes before this.
const LAST: &str = "SELECT video_id FROM video_deletions WHERE video_id = {id} FOR UPDATE";

#[tokio::test]
async fn a_deletion_is_completed_whoever_is_killed_at_whatever_step() {
    let mut system = system_builder().start().await;
    let client = system.client();
    for gate in GATES {
        for killed in ["video", "favorite", "comment"] {
            let what = format!("{killed} killed at {gate:?}");
            let (author, fan) = (client.new_account().await, client.new_account().await);
            let video_id = beloved(&client, &author, &fan).await;
            let hold = async |gate: &str| {
                let gate = gate.replace("{id}", &video_id.to_string());
                system.database().hold(&gate).await
            };
            let mut held = hold(if gate == LAST { GATES[1] } else { gate }).await;
            let (deleting, token) = (client.clone(), author.token.clone());
            let first = tokio::spawn(async move { delete(&deleting, &token, video_id).await });
            held_up(&system, &what).await;
            if gate == LAST {
                held = hold(LAST).await;
                held_up(&system, &what).await;
            }
            system.instances(killed)[0].kill9();
            drop(held);
            system.replace_instance(killed, 0).await;
            first.await.unwrap();
            // Whoever wasn't answered asks again, and is told that it is gone.
            eventually(CARRIED_ON, &what, async || {
                let again = delete(&client, &author.token, video_id).await;
                [Some(0), Some(10007)]
                    .contains(&again.try_code())
                    .then_some(())
            })
            .await;
            eventually(CARRIED_ON, &what, async || {
                let left = ["video_deletions", "favorites", "comments", "videos"];
                for table in left {
                    let rows = format!("SELECT COUNT(*) FROM {table}");
                    if system.database().value::<i64>(&rows).await > 0 {
                        return None;
                    }
                }
                system
                    .bucket()
                    .keys()
                    .await
                    .iter()
                    .all(|key| !is_of_a_video(key))
                    .then_some(())
            })
            .await;
            eventually(CARRIED_ON, &what, async || {
                let works = client.works(author.user_id).await;
                let counts = [
                    count(&client.user(author.user_id, "").await),
                    count(&client.user(fan.user_id, "").await),
                ];
                (works.try_code() == Some(0) && counts == [Some((0, 0, 0)); 2]).then_some(())
            })
            .await;
            assert_gone(&system, &author, &fan, video_id).await;
        }
    }
}

fn is_of_a_video(key: &str) -> bool {
    key.starts_with("videos/") || key.starts_with("covers/")
}

/// Likes received, likes given, works.
fn count(reply: &Reply) -> Option<(i64, i64, i64)> {
    let user = reply.body.get("user")?;
    let number = |name: &str| user.get(name).and_then(Value::as_i64);
    Some((
        number("total_favorited")?,
        number("favorite_count")?,
        number("work_count")?,
    ))
}

/// Waits until somebody waits for the lock.
async fn held_up(system: &System, what: &str) {
    let sql = "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID() \
               AND info IS NOT NULL AND (state LIKE 'Waiting for table%' OR info LIKE '%FOR UPDATE%' OR info LIKE 'DELETE FROM video_deletions%')";
    eventually(CARRIED_ON, what, async || {
        (system.database().value::<i64>(sql).await > 0).then_some(())
    })
    .await;
}
