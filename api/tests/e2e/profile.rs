//! Profiles: pictures are made anew, seen by their owner at once and by others soon, and nothing of the old ones stays for ever.

use std::{process::Command, time::Duration};

use reqwest::{Method, multipart};
use serde_json::{Value, json};
use testkit::{Account, Client, Replicated, Reply, eventually};

use crate::{
    scene::{each_api, publish_video},
    shapes::{assert_user, comments, feed_page, users, videos, without_signatures},
    shared_system, system_builder,
};

/// Until others see it: 5 s and the lag of a replica, on a busy machine.
const SEEN: Duration = Duration::from_secs(15);
/// Until a pass has removed some hundred pictures, on a busy machine; less than the time between two passes.
const REMOVED: Duration = Duration::from_secs(30);

fn picture(codec: &str, size: &str) -> Vec<u8> {
    let source = format!("testsrc2=s={size}");
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", &source])
        .args(["-frames:v", "1", "-c:v", codec, "-f", "image2pipe", "-"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

/// Width and height by the frame header of a JPEG.
fn size(jpeg: &[u8]) -> (u16, u16) {
    let at = jpeg.windows(2).position(|two| two == [0xff, 0xc0]).unwrap();
    let number = |at: usize| u16::from_be_bytes([jpeg[at], jpeg[at + 1]]);
    (number(at + 7), number(at + 5))
}

fn form(account: &Account) -> multipart::Form {
    multipart::Form::new().text("token", account.token.clone())
}

fn file(bytes: Vec<u8>) -> multipart::Part {
    multipart::Part::bytes(bytes).file_name("picture")
}

async fn change(client: &Client, form: multipart::Form) -> Reply {
    let request = client.request(Method::POST, "/douyin/user/profile/");
    client.send(request.multipart(form)).await
}

async fn fetch(client: &Client, url: &Value) -> (u16, String, Vec<u8>) {
    let (status, headers, bytes) = client.fetch(url.as_str().unwrap(), None).await;
    let kind = headers
        .get("content-type")
        .map(|kind| kind.to_str().unwrap().to_owned());
    (status, kind.unwrap_or_default(), bytes)
}

#[tokio::test]
async fn a_profile_is_changed_for_its_owner_at_once_and_for_others_soon() {
    let system = system_builder().instances("api", 1).start().await;
    let client = system.client();
    let (owner, other) = (client.new_account().await, client.new_account().await);
    let seen_by = async |viewer: &Account| {
        let user = system.client().user(owner.user_id, &viewer.token).await;
        user.ok()["user"].take()
    };
    // Cached from now on.
    let before = seen_by(&other).await;
    let parts = form(&owner)
        .part("avatar", file(picture("png", "1024x600")))
        .part("background_image", file(picture("libwebp", "2000x800")))
        .text("signature", "你好，世界");
    let changed = change(&client, parts).await.ok()["user"].take();
    assert_user(&changed);
    assert_eq!(changed["signature"], "你好，世界");
    let own = seen_by(&owner).await;
    assert_eq!(without_signatures(own.clone()), without_signatures(changed));
    eventually(SEEN, "others see the new profile", async || {
        (without_signatures(seen_by(&other).await) == without_signatures(own.clone())).then_some(())
    })
    .await;
    let avatar = |user: &Value| without_signatures(user["avatar"].clone());
    assert_ne!(avatar(&before), avatar(&own));
    for (name, expected) in [("avatar", (512, 300)), ("background_image", (1500, 600))] {
        let (status, kind, bytes) = fetch(&client, &own[name]).await;
        assert_eq!(
            (status, kind.as_str(), size(&bytes)),
            (200, "image/jpeg", expected)
        );
    }

    // What is absent stays; what was replaced may still be shown to others.
    let parts = form(&owner).part("avatar", file(picture("mjpeg", "100x100")));
    let again = change(&client, parts).await.ok()["user"].take();
    assert_eq!(again["signature"], own["signature"]);
    let background = |user: &Value| without_signatures(user["background_image"].clone());
    assert_eq!(background(&again), background(&own));
    assert_eq!(fetch(&client, &own["avatar"]).await.0, 200);
    let (_, _, bytes) = fetch(&client, &again["avatar"]).await;
    assert_eq!(size(&bytes), (100, 100));
    let rows = "SELECT COUNT(*) FROM user_pictures WHERE state = 1";
    assert_eq!(system.database().value::<i64>(rows).await, 2);
    let rows = "SELECT COUNT(*) FROM user_pictures WHERE state = 2";
    assert_eq!(system.database().value::<i64>(rows).await, 1);

    // Without a picture a form or JSON will do.
    let query = [("token", owner.token.as_str())];
    let body = json!({ "signature": "" });
    let request = client
        .request(Method::POST, "/douyin/user/profile")
        .query(&query)
        .json(&body);
    let cleared = client.send(request).await.ok();
    assert_eq!(cleared["user"]["signature"], "");
    assert_eq!(seen_by(&owner).await["signature"], "");
}

#[tokio::test]
async fn one_pass_removes_all_pictures_that_nobody_can_be_shown_any_more() {
    let mut system = system_builder().start().await;
    let client = system.client();
    let owner = client.new_account().await;
    let new_avatar = async || {
        let parts = form(&owner).part("avatar", file(picture("png", "64x64")));
        change(&client, parts).await.ok()["user"]["avatar"].take()
    };
    let (replaced, shown) = (new_avatar().await, new_avatar().await);
    // More than are read at once, of requests that failed later.
    let left: Vec<String> = (0..120)
        .map(|n| format!("('pictures/{n}.jpg', 1, 0, NOW(3) - INTERVAL 1 DAY)"))
        .collect();
    let insert = "INSERT INTO user_pictures (object_key, user_id, state, created_at) VALUES";
    let insert = format!("{insert} {}", left.join(", "));
    system.database().execute(&insert).await;
    for (count, status) in [(1, 200), (0, 404)] {
        // It begins with a pass.
        system.start_instance("user").await;
        let unused = "SELECT COUNT(*) FROM user_pictures WHERE state <> 1";
        eventually(REMOVED, "a pass over the pictures", async || {
            (system.database().value::<i64>(unused).await == count).then_some(())
        })
        .await;
        assert_eq!(fetch(&client, &replaced).await.0, status);
        assert_eq!(fetch(&client, &shown).await.0, 200);
        let replaced_long_ago =
            "UPDATE user_pictures SET created_at = NOW(3) - INTERVAL 1 DAY WHERE state = 2";
        system.database().execute(replaced_long_ago).await;
    }
}

/// The owner in every list that they see themself in: theirs, those of the film that they commented on, and whom they follow.
async fn owner_in_lists(
    client: &Client,
    owner: &Account,
    film: i64,
    followed: &Account,
) -> Vec<(&'static str, Value)> {
    let own = [("token", owner.token.as_str())];
    let (film_id, followed_id) = (film.to_string(), followed.user_id.to_string());
    let of_film = [own[0], ("video_id", film_id.as_str())];
    let of_followed = [own[0], ("user_id", followed_id.as_str())];
    let works = videos(&client.publish_list(&own).await.ok());
    let liked = videos(&client.favorite_list(&own).await.ok());
    let (feed, _) = feed_page(&client.feed(&own).await.ok());
    let one = client.video(film, &owner.token).await.ok();
    let said = comments(&client.comment_list(&of_film).await.ok());
    let followers = users(&client.relation_list("follower", &of_followed).await.ok());
    vec![
        ("works", works[0]["author"].clone()),
        ("likes", liked[0]["author"].clone()),
        ("feed", feed[0]["author"].clone()),
        ("video", one["video"]["author"].clone()),
        ("comments", said[0]["user"].clone()),
        ("followers", followers[0].clone()),
    ]
}

#[tokio::test]
async fn an_owner_sees_the_new_profile_at_once_in_every_list_of_every_process_on_a_late_replica() {
    const SECONDS_LATE: u32 = 10;
    const ROUNDS: usize = 3;
    let servers = Replicated::start(1).await;
    let system = system_builder()
        .instances("api", 2)
        .set("mysql.primary_url", servers.url(0))
        .set("mysql.replica_urls", servers.url(1))
        .set("mysql.migrate_url", servers.url(0))
        .start()
        .await;
    let apis = each_api(&system).await;
    let (owner, fan) = (apis[0].new_account().await, apis[0].new_account().await);
    let film = publish_video(&apis[0], &owner).await;
    apis[0].like(&owner.token, film).await.ok();
    apis[0].comment(&owner.token, film, "Mine").await.ok();
    apis[0].follow(&owner.token, fan.user_id).await.ok();
    servers.delay(1, SECONDS_LATE).await;
    let set = async |signature: &str| {
        let parts = form(&owner)
            .part("avatar", file(picture("png", "64x64")))
            .text("signature", signature.to_owned());
        change(&apis[0], parts).await.ok()["user"].take()
    };
    for round in 0..ROUNDS {
        // Others cache the profile in both processes, as the replica has it.
        for api in &apis {
            api.user(owner.user_id, &fan.token).await.ok();
        }
        let changed = set(&format!("Round {round}")).await;
        let avatar = |user: &Value| without_signatures(user["avatar"].clone());
        for api in [&apis[1], &apis[0], &apis[1]] {
            for (list, user) in owner_in_lists(api, &owner, film, &fan).await {
                assert_eq!(user["signature"], changed["signature"], "{list}");
                assert_eq!(avatar(&user), avatar(&changed), "{list}");
            }
            // Another viewer may still be shown the old one, and that is no reason to show it to the owner.
            api.user(owner.user_id, &fan.token).await.ok();
        }
    }
    set("Last").await;
    let sql = "SELECT COUNT(*) FROM users WHERE signature = 'Last'";
    let on_replica: i64 = servers.value(1, sql).await;
    let on_primary: i64 = servers.value(0, sql).await;
    assert_eq!((on_primary, on_replica), (1, 0), "the replica is late");
}

#[tokio::test]
async fn who_has_sent_no_picture_has_drawn_ones() {
    let system = shared_system().await;
    let client = system.client();
    let account = client.new_account().await;
    let user = client.user(account.user_id, "").await.ok()["user"].take();
    for name in ["avatar", "background_image"] {
        // The first to be shown it may be a moment too early.
        let (kind, bytes) = eventually(SEEN, "a drawn picture", async || {
            let (status, kind, bytes) = fetch(&client, &user[name]).await;
            (status == 200).then_some((kind, bytes))
        })
        .await;
        assert_eq!(kind, "image/png", "{name}");
        assert!(bytes.starts_with(b"\x89PNG"), "{name}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_profile_is_named_and_nothing_changes() {
    let system = shared_system().await;
    let client = system.client();
    let account = client.new_account().await;
    let profile =
        async || without_signatures(client.user(account.user_id, &account.token).await.ok());
    let before = profile().await;
    let good = || file(picture("png", "64x64"));
    for (form, says) in [
        (form(&account), "signature: is missing"),
        (
            form(&account).part("avatar", file(b"GIF89a".to_vec())),
            "avatar: a JPEG, PNG or WebP picture is expected",
        ),
        (
            form(&account)
                .part("avatar", good())
                .part("background_image", file(testkit::media::mp4())),
            "background_image: a JPEG, PNG or WebP picture is expected",
        ),
        (
            form(&account).part("avatar", file(Vec::new())),
            "avatar: is empty",
        ),
        (
            form(&account).part("avatar", good()).part("avatar", good()),
            "avatar: is given twice",
        ),
        (
            form(&account)
                .part("avatar", good())
                .text("signature", "好".repeat(201)),
            "signature: at most 200 characters",
        ),
    ] {
        let refused = change(&client, form).await;
        assert!(
            refused.message().ends_with(says),
            "{says}: {}",
            refused.text
        );
        refused.refused(10001);
    }
    let stranger = multipart::Form::new().part("avatar", good());
    change(&client, stranger).await.refused(10002);
    let broken = multipart::Form::new()
        .text("token", "x")
        .part("avatar", good());
    change(&client, broken).await.refused(10003);
    let large = form(&account).part("avatar", file(vec![0xff; (8 << 20) + 1]));
    change(&client, large).await.failed(413, 10011);
    assert_eq!(profile().await, before);
}
