//! Rate limits: they count by token and by real address, not by what a client claims.

use std::time::{Duration, Instant};

use reqwest::{
    Method,
    multipart::{Form, Part},
};
use testkit::{Account, Client, Metrics, Reply, eventually, media};

use crate::{scene::publish_video, shapes::assert_no_session, system_builder};

const TOO_MANY: i64 = 10012;

/// As somebody who writes this address into the header.
async fn login_from(client: &Client, address: &str, name: &str) -> Reply {
    login_with(client, address, name, "wrong password").await
}

async fn login_with(client: &Client, address: &str, name: &str, password: &str) -> Reply {
    let query = [("username", name), ("password", password)];
    let request = client
        .request(Method::POST, "/douyin/user/login/")
        .header("x-forwarded-for", address)
        .query(&query);
    client.send(request).await
}

async fn like_from(client: &Client, address: &str, account: &Account, video_id: i64) -> Reply {
    let video_id = video_id.to_string();
    let query = [
        ("token", account.token.as_str()),
        ("video_id", &video_id),
        ("action_type", "1"),
    ];
    let request = client
        .request(Method::POST, "/douyin/favorite/action/")
        .header("x-forwarded-for", address)
        .query(&query);
    client.send(request).await
}

async fn publish_without_token(client: &Client, address: &str) -> Reply {
    let file = Part::bytes(media::text()).file_name("video.mp4");
    let form = Form::new().text("title", "A film").part("data", file);
    let request = client
        .request(Method::POST, "/douyin/publish/action/")
        .header("x-forwarded-for", address)
        .multipart(form);
    client.send(request).await
}

/// Whether it was one too many, which says when to come again, at the latest after `most`.
fn is_refused(reply: &Reply, max: Duration) -> bool {
    if reply.http != 429 {
        return false;
    }
    assert_eq!(reply.try_code(), Some(TOO_MANY), "{}", reply.text);
    let wait = reply.headers["retry-after"].to_str().unwrap();
    let wait = Duration::from_secs(wait.parse().unwrap());
    assert!(!wait.is_zero() && wait <= max, "Retry-After: {wait:?}");
    true
}

#[tokio::test]
async fn a_thousand_forged_addresses_win_no_login_attempt() {
    const PER_MINUTE: u64 = 60;
    let system = system_builder()
        .set("limits.login_per_address", PER_MINUTE)
        .start()
        .await;
    let client = system.client();
    // Until the system was ready, it was asked from here, too.
    eventually(Duration::from_secs(60), "a login", async || {
        let reply = client.login("first", "wrong password").await;
        (reply.http == 200).then_some(())
    })
    .await;
    let start = Instant::now();
    let mut tried = 0;
    for n in 0..1000 {
        let address = format!("10.{}.{}.{}", n / 250, n % 250, n % 7);
        let reply = login_from(&client, &address, &format!("forged-{n}")).await;
        if !is_refused(&reply, Duration::from_secs(1)) {
            reply.refused(10004);
            tried += 1;
        }
    }
    let most = PER_MINUTE + start.elapsed().as_secs() + 1;
    assert!(tried <= most, "{tried} of {most}");
    let metrics = Metrics::of(system.api()).await;
    let refused = metrics.sum("limit_refusals_total", &[("class", "login")]);
    assert!(refused >= (1000 - tried) as f64, "{refused}");
    // What is limited is the login, nothing else.
    client.feed(&[]).await.ok();
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_client_and_each_user_has_limits_of_their_own() {
    let system = system_builder()
        .set("http.trusted_proxies", "127.0.0.1")
        .set("limits.login_per_address", 100)
        .set("limits.login_per_name", 70)
        .set("limits.publish_per_address", 6)
        .set("limits.write_per_user", 10)
        .set("limits.upload_bytes_per_user_day", 1)
        .start()
        .await;
    let client = system.client();
    let second = Duration::from_secs(1);

    for address in ["192.0.2.1", "192.0.2.2"] {
        let mut tries = 0;
        while !is_refused(
            &login_from(&client, address, &format!("{address} {tries}")).await,
            second,
        ) {
            tries += 1;
        }
        assert!(tries >= 100, "{address}: {tries}");
    }

    // As one name, whether it is anybody's or not; and its owner, who is elsewhere, isn't kept out.
    let (known, other) = (client.new_account().await, client.new_account().await);
    for (address, name) in [
        ("198.51.100.1", known.name.as_str()),
        ("198.51.100.2", "nobody of this name"),
    ] {
        let mut tries = 0;
        loop {
            let reply = login_from(&client, address, name).await;
            if is_refused(&reply, second) {
                break;
            }
            reply.refused(10004);
            tries += 1;
        }
        assert!(tries >= 70, "{name}: {tries}");
        login_from(&client, "198.51.100.3", name)
            .await
            .refused(10004);
    }
    let login = login_with(&client, "198.51.100.4", &known.name, &known.password).await;
    let login = login.ok();
    assert_eq!(login["user_id"], known.user_id);

    // The quota lets an upload begin while anything is left.
    let video_id = publish_video(&client, &known).await;
    let again = client.publish(&known.token, "More", media::mp4()).await;
    let long = Duration::from_secs(1_000_000) * 86_400;
    assert!(is_refused(&again, long), "{}", again.text);
    let wait: u64 = again.headers["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!(wait > 86_400, "a day for each byte of a film: {wait}");
    publish_video(&client, &other).await;

    // Whoever shows no token is counted before a byte of the file is kept.
    let mut uploads = 0;
    while !is_refused(
        &publish_without_token(&client, "203.0.113.200").await,
        Duration::from_secs(10),
    ) {
        uploads += 1;
        assert!(uploads < 100, "for ever");
    }
    assert!(uploads >= 6, "{uploads}");

    let mut likes = 0;
    while !is_refused(
        &like_from(&client, &format!("203.0.113.{likes}"), &other, video_id).await,
        Duration::from_secs(6),
    ) {
        likes += 1;
    }
    assert!(likes >= 10, "{likes}");
    like_from(&client, "203.0.113.1", &known, video_id)
        .await
        .ok();
}

#[tokio::test]
async fn a_body_that_nobody_reads_wins_no_request_and_costs_an_address_no_more_than_its_limit() {
    const PER_MINUTE: u64 = 60;
    // One a second comes back.
    let soon = Duration::from_secs(2);
    let system = system_builder()
        .set("limits.request_per_address", PER_MINUTE)
        .start()
        .await;
    let client = system.client();
    let send = async |method: &Method, path: &str| {
        let request = client.request(method.clone(), path).body("x");
        client.send(request).await
    };
    for (method, path) in [
        (Method::GET, "/v/7"),
        (Method::GET, "/nowhere"),
        (Method::PUT, "/douyin/feed/"),
        (Method::POST, "/douyin/user/login/"),
    ] {
        let mut asked = 0;
        while !is_refused(&send(&method, path).await, soon) {
            asked += 1;
            assert!(asked < 20 * PER_MINUTE, "{path}: for ever");
        }
    }
    // These are refused before their body is read.
    let mut refused = 0;
    for _ in 0..2 * PER_MINUTE {
        let reply = send(&Method::POST, "/douyin/favorite/action/?token=%zz").await;
        refused += u64::from(is_refused(&reply, soon));
    }
    assert!(refused > 0);
    let mut asked = 0;
    while !is_refused(&client.feed(&[]).await, soon) {
        asked += 1;
        assert!(asked < 20 * PER_MINUTE, "for ever");
    }
}

#[tokio::test]
async fn without_redis_the_limits_hold_and_probes_have_none() {
    let system = system_builder()
        .own_redis()
        .set("limits.register_per_address", 6)
        .set("limits.request_per_address", 3000)
        .start()
        .await;
    let client = system.client();
    client.new_account().await;
    system.redis().kill();
    let mut made = 1;
    loop {
        let name = format!("limited-{made}");
        let reply = client.register(&name, "a password").await;
        if is_refused(&reply, Duration::from_secs(10)) {
            break;
        }
        reply.ok();
        made += 1;
    }
    assert!(made >= 6, "{made}");
    let minute = Duration::from_secs(60);
    // A login that is refused before its route is found sends what the contract says, too.
    loop {
        while !is_refused(&client.get("/nowhere", &[]).await, minute) {}
        let reply = client.login("nobody", "a password").await;
        if is_refused(&reply, minute) {
            assert_no_session(&reply.body);
            break;
        }
    }
    let probe = client.get("/healthz", &[]).await;
    assert_eq!(probe.http, 200);
}
