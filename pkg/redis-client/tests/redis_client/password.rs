//! A Redis with a user and a password.

use std::time::Duration;

use redis_client::Client;
use settings::{Secret, Settings};
use testkit::{Redis, eventually};

const SOON: Duration = Duration::from_secs(20);
/// For a connection that isn't to come about.
const A_WHILE: Duration = Duration::from_millis(500);

/// Whether one comes in with these before the host.
async fn is_let_in(redis: &Redis, user: &str, within: Duration) -> bool {
    let mut settings = Settings::load().unwrap().redis;
    let address = redis.url().replace("redis://", "");
    settings.url = Secret::new(format!("redis://{user}{address}"));
    let link = Client::open("test", &settings, 0).unwrap();
    let answer = eventually(SOON * 2, "an answer", async || link.ping().await.ok());
    tokio::time::timeout(within, answer).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_password_is_let_in_and_nobody_else() {
    let redis = Redis::start().await;
    let user = [
        "ACL",
        "SETUSER",
        "dousheng",
        "on",
        ">a user's",
        "~*",
        "+@all",
    ];
    redis.command(0, &user);
    redis.command(0, &["CONFIG", "SET", "requirepass", "everybody's"]);
    for user in [
        ":everybody's@",
        "default:everybody's@",
        "dousheng:a%20user's@",
    ] {
        assert!(is_let_in(&redis, user, SOON).await, "{user}");
    }
    for user in [
        "",
        ":another@",
        "dousheng:everybody's@",
        "nobody:a%20user's@",
    ] {
        assert!(!is_let_in(&redis, user, A_WHILE).await, "{user}");
    }
}
