//! Videos that aren't ready, and transcoders that are killed or stopped at their work: nothing is lost, nothing doubled, nothing left.

use std::time::Duration;

use testkit::{Account, Held, Process, System, eventually, media};

use crate::{
    shapes::{feed_page, videos},
    store::video_objects,
    system_builder,
};

/// By when a job is done, on a machine whose cores are busy.
const SOON: Duration = Duration::from_secs(90);
const LEASE_S: u64 = 3;

async fn start() -> System {
    system_builder()
        .instances("transcoder", 1)
        .set("transcoder.lease_s", LEASE_S)
        .start()
        .await
}

async fn count(system: &System, sql: &str) -> i64 {
    system
        .database()
        .value(&format!("SELECT COUNT(*) FROM {sql}"))
        .await
}

/// How far the only job has come.
async fn has_come_to(system: &System, point: usize) -> bool {
    match point {
        // It is claimed.
        0 => count(system, "jobs WHERE state = 1").await > 0,
        // What it will make is recorded.
        1 => count(system, "uploads WHERE aborting = 0").await > 0,
        // The video is stored; what follows is its cover and the row.
        _ => {
            let keys = "SELECT object_key FROM uploads WHERE aborting = 0";
            let keys: Vec<String> = system.database().column(keys).await;
            let stored = system.bucket().keys().await;
            keys.iter().any(|key| stored.contains(key))
        }
    }
}

/// Publishes a film whose job can't end before the returned value is dropped.
async fn publish_with_held_job(system: &System, author: &Account) -> Held {
    let transcoder = &system.instances("transcoder")[0];
    // So that it claims nothing before the last step is held up.
    transcoder.freeze();
    let client = system.client();
    client
        .publish(&author.token, "A film", media::mpeg4())
        .await
        .ok();
    let key = "SELECT object_key FROM videos WHERE state = 1";
    let key: String = system.database().value(key).await;
    // The last step of the job inserts this row, too.
    let row = format!(
        "INSERT INTO uploads (object_key, author_id) VALUES ('{key}', {})",
        author.user_id
    );
    let held = system.database().hold(&row).await;
    transcoder.thaw();
    held
}

/// A pass of the reaper after all URLs have ended.
async fn reap(system: &System) {
    let later = "UPDATE uploads SET created_at = NOW(3) - INTERVAL 30 DAY";
    system.database().execute(later).await;
    let reap = Process::workspace_binary("reap", system.variables());
    reap.succeeded().await;
}

#[tokio::test]
async fn a_video_that_is_not_ready_is_there_for_its_author_alone_who_may_delete_it() {
    // Without a transcoder.
    let system = system_builder().start().await;
    let client = system.client();
    let (author, other) = (client.new_account().await, client.new_account().await);
    client
        .publish(&author.token, "A film", media::mpeg4())
        .await
        .ok();
    let own = [("token", author.token.as_str())];
    let works = videos(&client.publish_list(&own).await.ok());
    assert_eq!((works.len(), &works[0]["state"]), (1, &"processing".into()));
    let id = works[0]["id"].as_i64().unwrap();
    let seen = client.video(id, &author.token).await.ok();
    assert_eq!(seen["video"]["id"], id);

    assert!(videos(&client.works(author.user_id).await.ok()).is_empty());
    let theirs = author.user_id.to_string();
    let of_other = [("user_id", theirs.as_str()), ("token", &other.token)];
    assert!(videos(&client.publish_list(&of_other).await.ok()).is_empty());
    assert!(feed_page(&client.feed(&own).await.ok()).0.is_empty());
    client.video(id, &other.token).await.refused(10007);
    client.video(id, "").await.refused(10007);
    // A link to it says no more than one that leads nowhere.
    let link = client.get(&format!("/v/{id}"), &[]).await;
    let nowhere = client.get("/v/9007199254740991", &[]).await;
    assert_eq!((link.http, &link.text), (404, &nowhere.text));
    client.like(&other.token, id).await.refused(10007);
    client
        .comment(&other.token, id, "Nice")
        .await
        .refused(10007);
    client.comments(id).await.refused(10007);
    let user = client.user(author.user_id, &author.token).await.ok();
    assert_eq!(user["user"]["work_count"], 0);

    let delete = async |token: &str| {
        let id = id.to_string();
        let query = [("token", token), ("video_id", id.as_str())];
        client.post("/douyin/publish/delete/", &query).await
    };
    delete(&other.token).await.refused(10007);
    delete(&author.token).await.ok();
    assert!(videos(&client.publish_list(&own).await.ok()).is_empty());
    let user = client.user(author.user_id, &author.token).await.ok();
    assert_eq!(user["user"]["work_count"], 0);
    assert_eq!(count(&system, "jobs").await, 0);
    eventually(SOON, "the files gone, too", async || {
        video_objects(&system).await.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_deleted_video_takes_its_small_rendition_and_the_original_that_was_replaced_with_it() {
    let system = system_builder()
        .instances("transcoder", 1)
        .set("media.small_height", 144)
        .start()
        .await;
    let client = system.client();
    let author = client.new_account().await;
    client
        .publish(&author.token, "A film", media::mpeg4())
        .await
        .ok();
    let id = eventually(SOON, "a video that is ready", async || {
        let works = videos(&client.works(author.user_id).await.ok());
        works.first()?["id"].as_i64()
    })
    .await;
    let stored = video_objects(&system).await;
    assert_eq!(
        stored.len(),
        4 + 3,
        "two renditions, two covers, and the original with its own: {stored:?}"
    );
    let id = id.to_string();
    let query = [("token", author.token.as_str()), ("video_id", &id)];
    client.post("/douyin/publish/delete/", &query).await.ok();
    // Without a pass of the reaper.
    eventually(SOON, "no file of the video", async || {
        video_objects(&system).await.is_empty().then_some(())
    })
    .await;
    assert_eq!(count(&system, "uploads").await, 0);
}

#[tokio::test]
async fn whenever_a_transcoder_is_killed_another_makes_the_video_ready_and_nothing_is_left() {
    let mut system = start().await;
    let client = system.client();
    let author = client.new_account().await;
    for point in 0..3 {
        let held = publish_with_held_job(&system, &author).await;
        eventually(SOON, "this step of the job", async || {
            has_come_to(&system, point).await.then_some(())
        })
        .await;
        system.instances("transcoder")[0].kill9();
        assert_eq!(count(&system, "jobs WHERE state = 1").await, 1, "{point}");
        drop(held);
        system.replace_instance("transcoder", 0).await;
        eventually(SOON, "a video that is ready", async || {
            let works = videos(&client.works(author.user_id).await.ok());
            (works.len() == point + 1).then_some(())
        })
        .await;
    }
    let own = [("token", author.token.as_str())];
    assert_eq!(feed_page(&client.feed(&own).await.ok()).0.len(), 3);
    let user = client.user(author.user_id, &author.token).await.ok();
    assert_eq!(user["user"]["work_count"], 3);
    reap(&system).await;
    assert_eq!(count(&system, "uploads").await, 0);
    let keys = video_objects(&system).await;
    assert_eq!(keys.len(), 3 * 3, "a video and two covers each: {keys:?}");
    assert_eq!(system.bucket().open_uploads().await, [""; 0]);
}

#[tokio::test]
async fn a_transcoder_that_was_stopped_past_its_lease_changes_nothing_when_it_goes_on() {
    let mut system = start().await;
    let client = system.client();
    let author = client.new_account().await;
    let held = publish_with_held_job(&system, &author).await;
    eventually(SOON, "a claim", async || {
        has_come_to(&system, 0).await.then_some(())
    })
    .await;
    system.instances("transcoder")[0].freeze();
    assert_eq!(count(&system, "jobs WHERE state = 1").await, 1);
    drop(held);
    system.start_instance("transcoder").await;
    let ready = async || {
        let works = videos(&client.works(author.user_id).await.ok());
        works.into_iter().next()
    };
    let video = eventually(SOON, "a video that is ready", ready).await;
    system.instances("transcoder")[0].thaw();
    eventually(SOON, "the end of the first attempt", async || {
        let log = system.instances("transcoder")[0].log();
        log.contains("the job belongs to another attempt")
            .then_some(())
    })
    .await;
    let again = ready().await.unwrap();
    let path = |video: &serde_json::Value| {
        let url = video["play_url"].as_str().unwrap();
        url.split('?').next().unwrap().to_owned()
    };
    assert_eq!(path(&again), path(&video));
    let own = [("token", author.token.as_str())];
    assert_eq!(feed_page(&client.feed(&own).await.ok()).0.len(), 1);
    let user = client.user(author.user_id, &author.token).await.ok();
    assert_eq!(user["user"]["work_count"], 1);
    reap(&system).await;
    let keys = video_objects(&system).await;
    assert_eq!(keys.len(), 3, "{keys:?}");
}
