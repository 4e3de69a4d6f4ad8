//! The main flow of a new user: register, log in, publish, watch.

use std::time::Duration;

use serde_json::Value;
use testkit::{Client, JWT_KEYS, System, eventually, media};

use crate::{
    shapes::{assert_reply, assert_session, assert_user, feed_page, videos},
    shared_system, system_builder,
};

/// By when a job is done, on a machine whose cores are busy.
const SOON: Duration = Duration::from_secs(60);

#[tokio::test]
async fn register_log_in_publish_and_watch() {
    let system = system_builder().start().await;
    let client = system.client();
    // The second round meets the data of the first.
    for (round, film) in [media::mp4(), media::mov()].into_iter().enumerate() {
        let name = format!("newcomer-{round}");
        let registered = client.register(&name, "my password").await.ok();
        assert_session(&registered);
        let login = client.login(&name, "my password").await.ok();
        assert_session(&login);
        assert_eq!(login["user_id"], registered["user_id"]);
        let user_id = login["user_id"].as_i64().unwrap();
        let token = login["token"].as_str().unwrap();

        let user = client.user(user_id, token).await.ok();
        assert_reply(&user);
        assert_user(&user["user"]);
        assert_eq!(user["user"]["name"], name.as_str());
        assert_eq!(user["user"]["work_count"], 0);
        assert_eq!(videos(&client.works(user_id).await.ok()).len(), 0);

        assert_reply(
            &client
                .publish(token, "My first film", film.clone())
                .await
                .ok(),
        );

        // The very next requests see it: with the token, without, in the list, in the feed, in the counts.
        let list = videos(&client.works(user_id).await.ok());
        assert_eq!(list.len(), 1);
        let own = videos(&client.publish_list(&[("token", token)]).await.ok());
        assert_eq!(own[0]["id"], list[0]["id"]);
        let (feed, next_time) = feed_page(&client.feed(&[("token", token)]).await.ok());
        assert_eq!(feed.len(), round + 1);
        assert_eq!(feed[0]["id"], list[0]["id"], "newest first");
        assert_eq!(feed[0]["title"], "My first film");
        assert_eq!(feed[0]["author"]["id"], user_id);
        assert_eq!(feed[0]["author"]["name"], name.as_str());
        assert_eq!(feed[0]["author"]["work_count"], 1);
        assert_eq!(feed.last().unwrap()["create_time"], next_time);
        assert_eq!(
            client.user(user_id, token).await.ok()["user"]["work_count"],
            1
        );

        assert_playable(&client, &list[0], "video/mp4").await;
        assert_cover(&client, &list[0]).await;
        assert_no_log_tells(
            &system,
            &["my password", token, "X-Amz-Signature", JWT_KEYS],
        );
    }
}

fn assert_no_log_tells(system: &System, secrets: &[&str]) {
    for process in ["api", "user", "video"].map(|service| &system.instances(service)[0]) {
        let log = process.log();
        assert!(!log.is_empty());
        for secret in secrets {
            assert!(
                !log.contains(secret),
                "{secret} is in a log:\n{}",
                process.tail()
            );
        }
    }
}

/// `play_url` gives the film to a browser, whole and in ranges, and only with its signature.
async fn assert_playable(client: &Client, video: &Value, content_type: &str) {
    let url = video["play_url"].as_str().unwrap();
    let (status, headers, film) = client.fetch(url, None).await;
    assert_eq!(status, 200);
    assert_eq!(headers["content-type"], content_type);
    assert!(headers.contains_key("etag"));
    assert_eq!(headers["cache-control"], "private,max-age=3600");
    assert!(
        media::has_index_in_front(&film),
        "a player waits for its index"
    );

    for (range, expected) in [
        ("bytes=0-99", &film[..100]),
        ("bytes=500-", &film[500..]),
        ("bytes=-100", &film[film.len() - 100..]),
    ] {
        let (status, headers, bytes) = client.fetch(url, Some(range)).await;
        assert_eq!(status, 206, "{range}");
        assert_eq!(headers["content-type"], content_type);
        let total = format!("/{}", film.len());
        assert!(headers["content-range"].to_str().unwrap().ends_with(&total));
        assert!(bytes == expected, "{range} is another part");
    }
    assert_guarded(client, url).await;
}

async fn assert_cover(client: &Client, video: &Value) {
    let url = video["cover_url"].as_str().unwrap();
    let (status, headers, bytes) = client.fetch(url, None).await;
    assert_eq!(status, 200);
    assert_eq!(headers["content-type"], "image/jpeg");
    assert!(
        bytes.starts_with(&[0xff, 0xd8, 0xff]),
        "the cover is no JPEG"
    );
    assert_guarded(client, url).await;
}

/// A URL that was tampered with opens nothing.
async fn assert_guarded(client: &Client, url: &str) {
    let (path, query) = url.split_once('?').unwrap();
    let signature = query.rsplit_once("X-Amz-Signature=").unwrap().1;
    let signature = signature.split('&').next().unwrap();
    let forged: String = signature
        .chars()
        .map(|c| if c == '0' { '1' } else { '0' })
        .collect();
    let (directory, file) = path.rsplit_once('/').unwrap();
    for tampered in [
        path.to_owned(),
        url.replace(signature, &forged),
        format!("{directory}/x{file}?{query}"),
        url.replacen("X-Amz-Expires=", "X-Amz-Expires=1", 1),
    ] {
        assert_ne!(tampered, url);
        assert_eq!(client.fetch(&tampered, None).await.0, 403, "{tampered}");
    }
}

#[tokio::test]
async fn an_empty_feed_shows_the_first_film_at_once_to_anybody() {
    let system = system_builder().start().await;
    let client = system.client();
    let author = client.new_account().await;
    assert_eq!(feed_page(&client.feed(&[]).await.ok()).0.len(), 0);
    client
        .publish(&author.token, "The first", media::mp4())
        .await
        .ok();
    let (feed, _) = feed_page(&client.feed(&[]).await.ok());
    assert_eq!(feed.len(), 1);
    assert_eq!(feed[0]["author"]["name"], author.name.as_str());
}

#[tokio::test]
async fn a_film_is_seen_by_its_author_from_any_connection_in_the_very_next_request() {
    let system = shared_system().await;
    let author = system.client().new_account().await;
    for count in 1..=3 {
        system
            .client()
            .publish(&author.token, "Again", media::mp4())
            .await
            .ok();
        // A fresh client has fresh connections; publish/list is asked without a token.
        let list = videos(&system.client().works(author.user_id).await.ok());
        assert_eq!(list.len(), count);
        let ids: Vec<_> = list
            .iter()
            .map(|video| video["id"].as_i64().unwrap())
            .collect();
        assert!(
            ids.is_sorted_by(|newer, older| newer > older),
            "newest first: {ids:?}"
        );
        let (feed, _) = feed_page(&system.client().feed(&[("token", &author.token)]).await.ok());
        assert!(
            feed.iter().any(|video| video["id"] == ids[0]),
            "not in the author's feed"
        );
    }
}

#[tokio::test]
async fn every_container_of_the_contract_is_accepted_and_plays() {
    let system = system_builder().instances("transcoder", 1).start().await;
    let client = system.client();
    let author = client.new_account().await;
    for (film, content_type) in [
        (media::mp4_moov_at_end(), "video/mp4"),
        (media::webm(), "video/webm"),
        (media::mkv(), "video/mp4"),
        (media::mpeg4(), "video/mp4"),
        // More than two parts: the upload in pieces.
        (media::mp4_of_size(crate::MAX_UPLOAD), "video/mp4"),
    ] {
        client.publish(&author.token, content_type, film).await.ok();
        let own = videos(&client.publish_list(&[("token", &author.token)]).await.ok());
        // Its author sees it at once, everybody else when it plays.
        let video = eventually(SOON, "a video that is ready", async || {
            let list = videos(&client.works(author.user_id).await.ok());
            let video = list.into_iter().find(|video| video["id"] == own[0]["id"]);
            video.filter(|video| video["state"] == "ready")
        });
        assert_playable(&client, &video.await, content_type).await;
    }
}
