//! Requests with pictures: whose are read, how many at once, and for how long.

use std::{process::Command, time::Duration};

use reqwest::{Method, multipart};
use testkit::{Account, Client, Metrics, Reply, eventually};

use crate::{
    raw::Raw,
    slow_bodies::{LONG_S, SOON, cut_off, until_used},
    system_builder,
};

/// More than are read at once.
const STRANGERS: usize = 12;
/// The head of the part of an avatar.
pub const AVATAR: &str =
    "--b\r\ncontent-disposition: form-data; name=\"avatar\"; filename=\"avatar\"\r\n\r\n";
pub const END: &str = "\r\n--b--\r\n";

pub fn picture() -> Vec<u8> {
    let output = Command::new("ffmpeg")
        .args(["-v", "error", "-f", "lavfi", "-i", "testsrc2=s=64x64"])
        .args(["-frames:v", "1", "-c:v", "png", "-f", "image2pipe", "-"])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    output.stdout
}

/// The head of a change of a profile.
pub fn head(headers: &str, length: usize) -> String {
    format!(
        "POST /douyin/user/profile/ HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         content-type: multipart/form-data; boundary=b\r\ncontent-length: {length}\r\n{headers}\r\n"
    )
}

pub fn bearer(account: &Account) -> String {
    format!("authorization: Bearer {}\r\n", account.token)
}

fn avatar() -> multipart::Part {
    multipart::Part::bytes(picture()).file_name("avatar")
}

async fn change(client: &Client, form: multipart::Form) -> Reply {
    let request = client.request(Method::POST, "/douyin/user/profile/");
    client.send(request.multipart(form)).await
}

async fn change_avatar(client: &Client, account: &Account) -> Reply {
    let form = multipart::Form::new().text("token", account.token.clone());
    change(client, form.part("avatar", avatar())).await
}

#[tokio::test]
async fn pictures_of_strangers_are_refused_and_keep_nobody_from_a_change() {
    let system = system_builder()
        .set("http.admission_timeout_s", LONG_S)
        .set("http.min_body_rate_after_s", LONG_S)
        .start()
        .await;
    let client = system.client();
    let account = client.new_account().await;
    let rest = [0; 1000];
    let mut strangers = Vec::new();
    for _ in 0..STRANGERS {
        let mut stranger = Raw::connect(system.http()).await;
        let head = head("", AVATAR.len() + rest.len());
        stranger.send((head + AVATAR).as_bytes()).await;
        strangers.push(stranger);
    }
    eventually(SOON, "connections of strangers", async || {
        let metrics = Metrics::of(system.api()).await;
        let open = metrics.sum("semaphore_permits_used", &[("semaphore", "connections")]);
        (open >= STRANGERS as f64).then_some(())
    })
    .await;
    for _ in 0..3 {
        change_avatar(&client, &account).await.ok();
    }
    for mut stranger in strangers {
        stranger.send(&rest).await;
        let (status, json) = stranger.reply().await;
        assert_eq!((status, &json["status_code"]), (200, &10002.into()));
    }
    // Until its token has come, a form is a stranger's.
    let late = multipart::Form::new().part("avatar", avatar());
    let late = late.text("token", account.token.clone());
    change(&client, late).await.refused(10002);
}

#[tokio::test]
async fn a_user_has_two_requests_with_pictures_under_way_and_no_more() {
    let system = system_builder()
        .set("http.min_body_rate_after_s", LONG_S)
        .set("upload.stall_timeout_s", LONG_S)
        .start()
        .await;
    let client = system.client();
    let (account, other) = (client.new_account().await, client.new_account().await);
    let mut under_way = Vec::new();
    for used in 1..=2 {
        change_avatar(&client, &account).await.ok();
        let mut one = Raw::connect(system.http()).await;
        let begin = head(&bearer(&account), 10_000) + AVATAR;
        one.send(begin.as_bytes()).await;
        until_used(&system, "pictures", used).await;
        under_way.push(one);
    }
    change_avatar(&client, &account).await.failed(429, 10012);
    change_avatar(&client, &other).await.ok();
    drop(under_way);
    eventually(SOON, "a change that is let in again", async || {
        let reply = change_avatar(&client, &account).await;
        (reply.try_code() == Some(0)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_picture_takes_its_time_once_its_token_is_known() {
    let system = system_builder()
        .set("http.admission_timeout_s", 1)
        .start()
        .await;
    let account = system.client().new_account().await;
    let token = format!(
        "--b\r\ncontent-disposition: form-data; name=\"token\"\r\n\r\n{}\r\n",
        account.token
    );
    for (case, headers, token) in [
        ("in a header", bearer(&account), String::new()),
        ("in a part", String::new(), token),
    ] {
        let body = [
            token.as_bytes(),
            AVATAR.as_bytes(),
            &picture(),
            END.as_bytes(),
        ]
        .concat();
        let mut raw = Raw::connect(system.http()).await;
        let (first, rest) = body.split_at(token.len() + AVATAR.len());
        raw.send(head(&headers, body.len()).as_bytes()).await;
        raw.send(first).await;
        // Several times as long as a stranger's body may take.
        for piece in rest.chunks(rest.len().div_ceil(10)) {
            tokio::time::sleep(Duration::from_millis(300)).await;
            raw.send(piece).await;
        }
        let (status, json) = raw.reply().await;
        assert_eq!((status, &json["status_code"]), (200, &0.into()), "{case}");
    }
}

#[tokio::test]
async fn a_form_without_a_picture_has_no_more_time_for_its_token() {
    let system = system_builder()
        .set("http.admission_timeout_s", 1)
        .start()
        .await;
    let account = system.client().new_account().await;
    let begin = head(&bearer(&account), 1_000_000)
        + "--b\r\ncontent-disposition: form-data; name=\"nothing\"\r\n\r\n";
    let text = cut_off(system.api().address().await, &begin).await;
    assert!(text.starts_with("HTTP/1.1 408"), "{text}");
}
