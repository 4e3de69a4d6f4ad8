//! Counts and flags: exact in the next request, and still shown without the services that keep them and without Redis.

use std::time::Duration;

use serde_json::Value;
use testkit::{Account, Client, FOLD_PERIOD, Metrics, System, eventually};

use crate::{
    faulty::SERVICES,
    scene::{counts, ids, publish_video, seen_by, user_counts},
    shapes::{added, comments, feed_page, videos},
    shared_system, system_builder,
};

/// Commands to Redis that a process sends to one database before it learns that Redis is silent: those of one request.
const WAITS: f64 = 3.0;
/// Databases that a process is connected to, at most: of favorites, comments, marks and limits.
const DATABASES: f64 = 4.0;

/// Commands that no answer came to in time, of all processes so far.
async fn waits(system: &System) -> f64 {
    let metrics = Metrics::of_services(system, &SERVICES).await;
    metrics.sum("redis_commands_total", &[("outcome", "timed_out")])
}

#[tokio::test]
async fn counts_and_flags_are_exact_in_the_very_next_request_from_any_connection() {
    let system = shared_system().await;
    let client = system.client();
    let (author, fan) = (client.new_account().await, client.new_account().await);
    let other = client.new_account().await;
    let video_id = publish_video(&client, &author).await;
    let mut comment_ids = Vec::new();
    for round in 1..=5 {
        for (likes, who) in [(1, &fan), (2, &other)] {
            system.client().like(&who.token, video_id).await.ok();
            let video = seen_by(&system, who, &author, video_id).await;
            assert_eq!(counts(&video), (likes, round - 1, true), "round {round}");
            assert_eq!(video["author"]["total_favorited"], likes);
            assert_eq!(user_counts(&system, who).await, (0, 1, 0));
        }
        // Another viewer, another flag.
        let video = seen_by(&system, &author, &author, video_id).await;
        assert_eq!(counts(&video), (2, round - 1, false));
        assert_eq!(user_counts(&system, &author).await, (2, 0, 1));

        let reply = system.client().comment(&fan.token, video_id, "更多").await;
        comment_ids.push(added(&reply.ok())["id"].clone());
        let video = seen_by(&system, &fan, &author, video_id).await;
        assert_eq!(counts(&video), (2, round, true));

        for (likes, who) in [(1, &other), (0, &fan)] {
            system.client().unlike(&who.token, video_id).await.ok();
            let video = seen_by(&system, who, &author, video_id).await;
            assert_eq!(counts(&video), (likes, round, false));
            assert_eq!(user_counts(&system, who).await, (0, 0, 0));
        }
        assert_eq!(user_counts(&system, &author).await, (0, 0, 1));
    }
    for (deleted, id) in (1..).zip(&comment_ids) {
        let id = id.as_i64().unwrap();
        let client = system.client();
        client.delete_comment(&fan.token, video_id, id).await.ok();
        let video = seen_by(&system, &fan, &author, video_id).await;
        assert_eq!(counts(&video), (0, 5 - deleted, false));
    }
}

#[tokio::test]
async fn works_are_counted_at_once() {
    let system = shared_system().await;
    let author = system.client().new_account().await;
    for works in 1..=3 {
        publish_video(&system.client(), &author).await;
        assert_eq!(user_counts(&system, &author).await, (0, 0, works));
    }
}

#[tokio::test]
async fn simultaneous_likes_of_one_video_are_each_counted_once() {
    let system = shared_system().await;
    let client = system.client();
    let author = client.new_account().await;
    let video_id = publish_video(&client, &author).await;
    let fans = futures::future::join_all((0..20).map(|_| client.new_account())).await;
    for (liked, likes) in [(true, 20), (false, 0)] {
        // Each three times at once.
        let act = |n: usize| {
            let (client, token) = (system.client(), fans[n % 20].token.clone());
            async move {
                match liked {
                    true => client.like(&token, video_id).await.ok(),
                    false => client.unlike(&token, video_id).await.ok(),
                }
            }
        };
        futures::future::join_all((0..60).map(act)).await;
        let video = seen_by(&system, &fans[0], &author, video_id).await;
        assert_eq!(counts(&video), (likes, 0, liked));
        assert_eq!(user_counts(&system, &author).await, (likes, 0, 1));
        assert_eq!(user_counts(&system, &fans[7]).await, (0, likes / 20, 0));
    }
}

/// A film with two likes and a comment, one of them the author's own.
async fn popular_film(client: &Client, author: &Account, fan: &Account) -> i64 {
    let video_id = publish_video(client, author).await;
    client.like(&author.token, video_id).await.ok();
    client.like(&fan.token, video_id).await.ok();
    client.comment(&fan.token, video_id, "好").await.ok();
    video_id
}

/// Feed, list of works and user, as the author sees them.
async fn pages(system: &System, author: &Account) -> (Value, Value, Value) {
    let client = system.client();
    let token = [("token", author.token.as_str())];
    let (feed, _) = feed_page(&client.feed(&token).await.ok());
    let works = videos(&client.publish_list(&token).await.ok());
    let user = client.user(author.user_id, &author.token).await.ok();
    (feed[0].clone(), works[0].clone(), user["user"].clone())
}

#[tokio::test]
async fn without_their_services_pages_show_the_counts_of_the_last_fold() {
    let mut system = system_builder().start().await;
    let client = system.client();
    let (author, fan) = (client.new_account().await, client.new_account().await);
    let video_id = popular_film(&client, &author, &fan).await;
    eventually(5 * FOLD_PERIOD, "a fold", async || {
        let open = "SELECT COUNT(*) FROM ledger";
        (system.database().value::<i64>(open).await == 0).then_some(())
    })
    .await;
    system.database().replicas_caught_up().await;
    // On the list of works in any case; on the page of a viewer, which the primary serves, too.
    let assert_pages = async |system: &System, is_favorite: bool| {
        let (on_feed, work, user) = pages(system, &author).await;
        assert_eq!(counts(&on_feed), (2, 1, is_favorite));
        assert_eq!(counts(&work), (2, 1, is_favorite));
        for user in [&user, &on_feed["author"]] {
            assert_eq!(user["total_favorited"], 2, "{user}");
            assert_eq!(user["favorite_count"], 1, "{user}");
            assert_eq!(user["work_count"], 1, "{user}");
        }
    };
    assert_pages(&system, true).await;

    system.instances("comment")[0].kill9();
    assert_pages(&system, true).await;
    client
        .comment(&fan.token, video_id, "不")
        .await
        .failed(503, 20002);
    client.comments(video_id).await.failed(503, 20002);

    system.instances("favorite")[0].kill9();
    // What the viewer likes is not known without the service.
    assert_pages(&system, false).await;
    for reply in [
        client.like(&fan.token, video_id).await,
        client.unlike(&fan.token, video_id).await,
        client.favorite_list(&[("token", &fan.token)]).await,
    ] {
        reply.failed(503, 20002);
    }

    system.replace_instance("comment", 0).await;
    system.replace_instance("favorite", 0).await;
    eventually(Duration::from_secs(10), "the services", async || {
        let like = client.unlike(&fan.token, video_id).await.try_code();
        let list = client.comments(video_id).await.try_code();
        (like == Some(0) && list == Some(0)).then_some(())
    })
    .await;
    let video = seen_by(&system, &author, &author, video_id).await;
    assert_eq!(counts(&video), (1, 1, true));
}

/// Likes, comments and takes both back; every step shows exactly in the next request.
async fn assert_all_works(system: &System, author: &Account, fan: &Account, video_id: i64) {
    let client = system.client();
    let (works, feed) = {
        let (on_feed, work, _) = pages(system, author).await;
        (counts(&work), counts(&on_feed))
    };
    assert_eq!(works, feed);
    let (likes, comment_count, _) = works;
    client.like(&fan.token, video_id).await.ok();
    let comment = client.comment(&fan.token, video_id, "在").await;
    let comment = added(&comment.ok());
    let (on_feed, work, user) = pages(system, author).await;
    for video in [&on_feed, &work] {
        assert_eq!(counts(video), (likes + 1, comment_count + 1, false));
    }
    assert_eq!(user["total_favorited"], likes + 1);
    let liked = client.favorite_list(&[("token", &fan.token)]).await;
    assert_eq!(ids(&videos(&liked.ok())), [video_id]);
    let listed = comments(&client.comments(video_id).await.ok());
    assert_eq!(listed[0], comment);

    client.unlike(&fan.token, video_id).await.ok();
    let comment_id = comment["id"].as_i64().unwrap();
    client
        .delete_comment(&fan.token, video_id, comment_id)
        .await
        .ok();
    let (on_feed, work, user) = pages(system, author).await;
    for video in [&on_feed, &work] {
        assert_eq!(counts(video), (likes, comment_count, false));
    }
    assert_eq!(user["total_favorited"], likes);
}

#[tokio::test]
async fn without_redis_all_works_exactly_and_waits_once_and_it_is_right_when_it_returns() {
    let system = system_builder().own_redis().start().await;
    let client = system.client();
    let (author, fan) = (client.new_account().await, client.new_account().await);
    let other = client.new_account().await;
    let video_id = publish_video(&client, &author).await;
    client.like(&other.token, video_id).await.ok();
    let all_works = async || assert_all_works(&system, &author, &fan, video_id).await;
    all_works().await;
    let redis = system.redis();

    redis.kill();
    all_works().await;
    // Changed while it was away: what it still holds is old.
    client.unlike(&other.token, video_id).await.ok();
    redis.restart().await;
    let right_again = async || {
        eventually(5 * FOLD_PERIOD, "the right count", async || {
            let video = seen_by(&system, &author, &author, video_id).await;
            (counts(&video).0 == 0).then_some(())
        })
        .await;
    };
    right_again().await;
    all_works().await;

    redis.freeze();
    let before = waits(&system).await;
    all_works().await;
    // Whoever has waited in vain once doesn't wait again.
    let waited = waits(&system).await - before;
    let most = WAITS * DATABASES * SERVICES.len() as f64;
    assert!(
        waited <= most,
        "{waited} commands waited for a silent Redis"
    );
    client.like(&other.token, video_id).await.ok();
    client.unlike(&other.token, video_id).await.ok();
    redis.thaw();
    right_again().await;
    all_works().await;

    redis.restart_empty().await;
    right_again().await;
    all_works().await;
}
