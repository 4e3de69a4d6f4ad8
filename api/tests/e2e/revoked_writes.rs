//! A token that has ended writes nothing: not beside another's valid token, and not when it ends while its picture or video comes.

use reqwest::{
    Method,
    multipart::{Form, Part},
};
use serde_json::Value;
use testkit::{Account, Client, Reply, media};
use tokio::io::AsyncWriteExt as _;

use crate::{
    picture_slots::{AVATAR, END, bearer, head as profile_head, picture},
    raw::Raw,
    shapes::videos,
    slow_bodies::{FILE_FIRST, connect, head as publish_head, host, reply, until_used},
    store::assert_empty_soon,
    system_builder,
};

async fn works(client: &Client, user_id: i64) -> Vec<Value> {
    videos(&client.works(user_id).await.ok())
}

async fn log_out(client: &Client, account: &Account) {
    let token = [("token", account.token.as_str())];
    client.post("/douyin/user/logout/", &token).await.ok();
}

/// Sends a form whose head has the token of `account`.
async fn send(client: &Client, account: &Account, path: &str, form: Form) -> Reply {
    let request = client.request(Method::POST, path);
    let request = request.bearer_auth(&account.token).multipart(form);
    client.send(request).await
}

#[tokio::test]
async fn a_valid_token_in_the_head_lets_no_ended_token_of_another_write() {
    let system = system_builder().start().await;
    let client = system.client();
    let (account, other) = (client.new_account().await, client.new_account().await);
    log_out(&client, &other).await;
    let ended = || Form::new().text("token", other.token.clone());
    let signature = ended().text("signature", "Not by me");
    let avatar = ended().part("avatar", Part::bytes(picture()).file_name("avatar"));
    let film = || Part::bytes(media::mp4()).file_name("film.mp4");
    let token_first = ended().text("title", "Not mine").part("data", film());
    let token_last = Form::new().text("title", "Not mine").part("data", film());
    let token_last = token_last.text("token", other.token.clone());
    let (profile, publish) = ("/douyin/user/profile/", "/douyin/publish/action/");
    for (path, form) in [
        (profile, signature),
        (profile, avatar),
        (publish, token_first),
        (publish, token_last),
    ] {
        send(&client, &account, path, form).await.refused(10003);
    }
    let shown = client.user(other.user_id, &account.token).await.ok();
    assert_ne!(shown["user"]["signature"], "Not by me");
    for author in [&account, &other] {
        assert!(works(&client, author.user_id).await.is_empty());
    }
    assert_empty_soon(&system, "an upload of an ended token").await;
}

#[tokio::test]
async fn a_valid_token_in_the_form_wins_over_another_in_the_head() {
    let system = system_builder().start().await;
    let client = system.client();
    let (account, other) = (client.new_account().await, client.new_account().await);
    let form = || Form::new().text("token", other.token.clone());
    let signature = form().text("signature", "By me");
    let profile = send(&client, &account, "/douyin/user/profile/", signature).await;
    assert_eq!(profile.ok()["user"]["id"], other.user_id);
    let film = form().text("title", "Mine");
    let film = film.part("data", Part::bytes(media::mp4()).file_name("film.mp4"));
    send(&client, &account, "/douyin/publish/action/", film)
        .await
        .ok();
    assert_eq!(works(&client, other.user_id).await.len(), 1);
}

#[tokio::test]
async fn a_token_that_ends_while_its_picture_comes_changes_no_profile() {
    let system = system_builder().start().await;
    let client = system.client();
    let account = client.new_account().await;
    let (picture, watcher) = (picture(), client.new_account().await);
    let (first, rest) = picture.split_at(picture.len() / 2);
    let length = AVATAR.len() + picture.len() + END.len();
    let mut raw = Raw::connect(system.http()).await;
    let begin = profile_head(&bearer(&account), length) + AVATAR;
    raw.send(&[begin.as_bytes(), first].concat()).await;
    until_used(&system, "pictures", 1).await;
    log_out(&client, &account).await;
    raw.send(&[rest, END.as_bytes()].concat()).await;
    let (_, json) = raw.reply().await;
    assert_eq!(json["status_code"], 10003);
    let shown = client.user(account.user_id, &watcher.token).await.ok();
    let avatar = shown["user"]["avatar"].as_str().unwrap();
    assert!(avatar.contains("/pictures/drawn/"), "{avatar}");
}

#[tokio::test]
async fn a_token_that_ends_while_its_video_comes_publishes_nothing() {
    let system = system_builder().start().await;
    let client = system.client();
    let account = client.new_account().await;
    let film = media::mp4();
    let (first, rest) = film.split_at(film.len() / 2);
    let length = FILE_FIRST.len() + film.len() + END.len();
    let head = publish_head("?title=Late", &bearer(&account));
    let head = head.replace("1000000", &length.to_string());
    let mut stream = connect(system.api().address().await, host(1)).await;
    let begin = [head.as_bytes(), FILE_FIRST.as_bytes(), first].concat();
    stream.write_all(&begin).await.unwrap();
    until_used(&system, "uploads", 1).await;
    log_out(&client, &account).await;
    let end = [rest, END.as_bytes()].concat();
    stream.write_all(&end).await.unwrap();
    let (_, json) = reply(&mut stream).await;
    assert_eq!(json["status_code"], 10003);
    assert!(works(&client, account.user_id).await.is_empty());
    assert_empty_soon(&system, "an upload whose token has ended").await;
}
