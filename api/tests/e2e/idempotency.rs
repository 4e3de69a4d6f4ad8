//! `Idempotency-Key`: a repeated write happens once.

use reqwest::{Method, multipart};
use testkit::{Account, Client, Reply, media};

use crate::shared_system;

const HEADER: &str = "Idempotency-Key";

async fn comment(
    client: &Client,
    account: &Account,
    video_id: i64,
    text: &str,
    key: &str,
) -> Reply {
    let video_id = video_id.to_string();
    let request = client.request(Method::POST, "/douyin/comment/action/");
    let request = request.header(HEADER, key).query(&[
        ("token", &*account.token),
        ("video_id", &video_id),
        ("action_type", "1"),
        ("comment_text", text),
    ]);
    client.send(request).await
}

async fn publish(
    client: &Client,
    account: &Account,
    title: &str,
    file: Vec<u8>,
    key: &str,
) -> Reply {
    let file = multipart::Part::bytes(file).file_name("a.mp4");
    let form = multipart::Form::new()
        .text("title", title.to_owned())
        .part("data", file.mime_str("video/mp4").unwrap());
    let request = client.request(Method::POST, "/douyin/publish/action/");
    let request = request
        .header(HEADER, key)
        .bearer_auth(&account.token)
        .multipart(form);
    client.send(request).await
}

async fn titles(client: &Client, account: &Account) -> Vec<String> {
    let works = client.works(account.user_id).await.ok();
    let videos = works["video_list"].as_array().unwrap();
    videos
        .iter()
        .map(|video| video["title"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_publish_that_is_repeated_makes_one_video() {
    let system = shared_system().await;
    let client = system.client();
    let account = client.new_account().await;
    for _ in 0..2 {
        publish(&client, &account, "A walk", media::mp4(), "key")
            .await
            .ok();
    }
    assert_eq!(titles(&client, &account).await, ["A walk"]);
    for (title, file) in [("A run", media::mp4()), ("A walk", media::webm())] {
        let other = publish(&client, &account, title, file, "key").await;
        other.refused(10013);
    }
    publish(&client, &account, "A run", media::mp4(), "another")
        .await
        .ok();
    assert_eq!(titles(&client, &account).await, ["A run", "A walk"]);
    // Another's keys are another's.
    let stranger = client.new_account().await;
    publish(&client, &stranger, "Mine", media::mp4(), "key")
        .await
        .ok();
    assert_eq!(titles(&client, &stranger).await, ["Mine"]);
}

#[tokio::test]
async fn a_comment_that_is_repeated_is_the_first_one() {
    let system = shared_system().await;
    let client = system.client();
    let account = client.new_account().await;
    client
        .publish(&account.token, "A walk", media::mp4())
        .await
        .ok();
    let works = client.works(account.user_id).await.ok();
    let video_id = works["video_list"][0]["id"].as_i64().unwrap();

    let first = comment(&client, &account, video_id, "好", "key").await.ok();
    let again = comment(&client, &account, video_id, "好", "key").await.ok();
    assert_eq!(again["comment"], first["comment"]);
    let other = comment(&client, &account, video_id, "很好", "key").await;
    assert!(other.message().contains(HEADER), "{}", other.message());
    other.refused(10013);
    let stranger = client.new_account().await;
    comment(&client, &stranger, video_id, "好", "key")
        .await
        .ok();
    let list = client.comments(video_id).await.ok();
    assert_eq!(list["comment_list"].as_array().unwrap().len(), 2);
    let works = client.works(account.user_id).await.ok();
    assert_eq!(works["video_list"][0]["comment_count"], 2);
}

#[tokio::test]
async fn a_key_that_breaks_the_rule_is_refused_by_its_name_and_nothing_happens() {
    let system = shared_system().await;
    let client = system.client();
    let account = client.new_account().await;
    for key in ["", "two words", &"k".repeat(256), "钥匙"] {
        let published = publish(&client, &account, "A walk", media::mp4(), key).await;
        let commented = comment(&client, &account, 1, "好", key).await;
        for reply in [published, commented] {
            assert!(reply.message().contains(HEADER), "{}", reply.message());
            reply.refused(10001);
        }
    }
    assert!(titles(&client, &account).await.is_empty());
}
