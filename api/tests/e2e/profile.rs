//! Profiles: pictures are made anew, seen by their owner at once and by others soon, and nothing of the old ones stays.

use std::{process::Command, time::Duration};

use reqwest::{Method, multipart};
use serde_json::{Value, json};
use testkit::{Account, Client, Reply, eventually};

use crate::{
    shapes::{assert_user, without_signatures},
    shared_system, system_builder,
};

/// Until others see it: 5 s, on a busy machine.
const SEEN: Duration = Duration::from_secs(15);

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

    // What is absent stays; what was replaced is gone.
    let parts = form(&owner).part("avatar", file(picture("mjpeg", "100x100")));
    let again = change(&client, parts).await.ok()["user"].take();
    assert_eq!(again["signature"], own["signature"]);
    let background = |user: &Value| without_signatures(user["background_image"].clone());
    assert_eq!(background(&again), background(&own));
    assert_eq!(fetch(&client, &own["avatar"]).await.0, 404);
    let (_, _, bytes) = fetch(&client, &again["avatar"]).await;
    assert_eq!(size(&bytes), (100, 100));
    let rows = "SELECT COUNT(*) FROM user_pictures WHERE state = 1";
    assert_eq!(system.database().value::<i64>(rows).await, 2);
    let rows = "SELECT COUNT(*) FROM user_pictures WHERE state <> 1";
    assert_eq!(system.database().value::<i64>(rows).await, 0);
    let keys = system.bucket().keys().await;
    let sent = keys
        .iter()
        .filter(|key| key.starts_with("pictures/") && !key.contains("drawn"));
    assert_eq!(sent.count(), 2, "{keys:?}");

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
