//! Tokens of accounts that a restored database lacks: they can't write, read nothing private, and never become another user's.

use std::time::Duration;

use auth::Tokens;
use settings::Secret;
use testkit::{Account, Client, JWT_KEYS, System, media};

use crate::{
    private_reads::{all_are, private_reads},
    scene::{publish_video, seen_by},
    store::StoredState,
    system_builder,
};

/// As an older dump of the database has it.
async fn forget(system: &System, account: &Account) {
    let delete = format!("DELETE FROM users WHERE id = {}", account.user_id);
    system.database().execute(&delete).await;
    system.database().replicas_caught_up().await;
}

async fn rows(system: &System) -> (i64, i64, StoredState) {
    let count = async |table: &str| {
        let sql = format!("SELECT COUNT(*) FROM {table}");
        system.database().value::<i64>(&sql).await
    };
    (
        count("favorites").await,
        count("comments").await,
        StoredState::of(system).await,
    )
}

/// Every write there is, and every read of what is a user's alone, with this token of somebody other than the author.
async fn all_refused(
    client: &Client,
    token: &str,
    author: &Account,
    video_id: i64,
    comment_id: i64,
) {
    let reads = private_reads(client, token, author.user_id).await;
    assert!(all_are(10003, &reads), "{reads:?}");
    client.like(token, video_id).await.refused(10003);
    client.unlike(token, video_id).await.refused(10003);
    client.comment(token, video_id, "说").await.refused(10003);
    let delete = client.delete_comment(token, video_id, comment_id);
    delete.await.refused(10003);
    let publish = client.publish(token, "Film", media::mp4());
    publish.await.refused(10003);
    // The file before its token.
    let form = reqwest::multipart::Form::new()
        .part(
            "data",
            reqwest::multipart::Part::bytes(media::mp4()).file_name("film.mp4"),
        )
        .text("title", "Film")
        .text("token", token.to_owned());
    client.publish_form(form).await.refused(10003);
}

#[tokio::test]
async fn a_token_of_a_user_who_is_not_there_writes_nothing_and_reads_nothing_private() {
    let system = system_builder().start().await;
    let client = system.client();
    let (author, lost) = (client.new_account().await, client.new_account().await);
    let other = client.new_account().await;
    let video_id = publish_video(&client, &author).await;
    let comment = client.comment(&author.token, video_id, "说").await.ok();
    let comment_id = comment["comment"]["id"].as_i64().unwrap();
    forget(&system, &lost).await;
    let before = rows(&system).await;
    all_refused(&client, &lost.token, &author, video_id, comment_id).await;
    assert_eq!(rows(&system).await, before);
    // Everybody else stays logged in.
    client.like(&author.token, video_id).await.ok();
    let reads = private_reads(&client, &author.token, other.user_id).await;
    assert!(all_are(0, &reads), "{reads:?}");
}

#[tokio::test]
async fn a_token_is_nobody_elses_when_its_id_is_given_once_more() {
    let system = system_builder().start().await;
    let client = system.client();
    let (author, lost) = (client.new_account().await, client.new_account().await);
    let video_id = publish_video(&client, &author).await;
    client.like(&lost.token, video_id).await.ok();
    client.unlike(&lost.token, video_id).await.ok();
    forget(&system, &lost).await;
    let back = format!("ALTER TABLE users AUTO_INCREMENT = {}", lost.user_id);
    system.database().execute(&back).await;
    let heir = client.new_account().await;
    assert_eq!(heir.user_id, lost.user_id);
    client.like(&heir.token, video_id).await.ok();
    let said = client.comment(&heir.token, video_id, "说").await.ok();
    let comment_id = said["comment"]["id"].as_i64().unwrap();
    let before = rows(&system).await;
    all_refused(&client, &lost.token, &author, video_id, comment_id).await;
    assert_eq!(rows(&system).await, before);
    let reads = private_reads(&client, &heir.token, author.user_id).await;
    assert!(all_are(0, &reads), "{reads:?}");
    let video = seen_by(&system, &heir, &author, video_id).await;
    assert_eq!(video["is_favorite"], true);
    client.unlike(&heir.token, video_id).await.ok();
}

/// As they were issued before tokens named when their account was made.
fn older_token(user_id: i64) -> String {
    let (kid, secret) = JWT_KEYS.split_once(':').unwrap();
    let keys = vec![(kid.to_owned(), Secret::new(secret))];
    let week = Duration::from_secs(604_800);
    let tokens = Tokens::new(keys, "dousheng", "dousheng-client", week).unwrap();
    tokens.issue(user_id, None).unwrap()
}

#[tokio::test]
async fn an_older_token_is_good_for_an_account_that_was_there_when_it_was_issued() {
    let system = system_builder().start().await;
    let client = system.client();
    let account = client.new_account().await;
    let video_id = publish_video(&client, &account).await;
    let older = older_token(account.user_id);
    client.like(&older, video_id).await.ok();
    client.comment(&older, video_id, "说").await.ok();
    // As if an account had been made ten minutes after the token. (One that wrote a moment ago isn't asked for again.)
    for writes_first in [true, false] {
        let account = client.new_account().await;
        let older = older_token(account.user_id);
        let later = format!(
            "UPDATE users SET created_at = created_at + INTERVAL 10 MINUTE WHERE id = {}",
            account.user_id
        );
        system.database().execute(&later).await;
        system.database().replicas_caught_up().await;
        if writes_first {
            client.comment(&older, video_id, "说").await.refused(10003);
        }
        client.like(&older, video_id).await.refused(10003);
        client.comment(&older, video_id, "说").await.refused(10003);
    }
}
