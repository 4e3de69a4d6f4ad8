//! Deletions that are owed, and paid when Redis answers again.

use std::time::Duration;

use redis_client::Client;
use settings::Secret;
use testkit::{Redis, TcpProxy, eventually};

const PATIENCE: Duration = Duration::from_secs(15);
const KEY: &str = "key";

#[tokio::test]
async fn a_key_that_is_owed_again_while_it_is_being_deleted_is_deleted_once_more() {
    let redis = Redis::start().await;
    let proxy = TcpProxy::to(&redis.url().replace("redis://", "")).await;
    let settings = settings::Redis {
        url: Secret::new(format!("redis://{}", proxy.address())),
        favorites_db: 1,
        comments_db: 2,
        marks_db: 3,
        limits_db: 4,
        key_prefix: String::new(),
        counter_ttl_s: 60,
        command_timeout_ms: 5000,
        ca_file: None,
    };
    let client = Client::open("test", &settings, 0).unwrap();
    eventually(PATIENCE, "an answer", async || client.ping().await.ok()).await;
    let owed = || vec![vec![KEY.to_owned()]];
    redis.command(0, &["SET", KEY, "wrong"]);
    // Redis has deleted it before the client hears of that.
    proxy.delay(Duration::from_millis(500));
    client.invalidate_later(owed());
    eventually(PATIENCE, "the key deleted", async || {
        (redis.command(0, &["EXISTS", KEY]) == "0").then_some(())
    })
    .await;
    redis.command(0, &["SET", KEY, "wrong"]);
    client.invalidate_later(owed());
    eventually(PATIENCE, "an answer", async || client.ping().await.ok()).await;
    assert_eq!(redis.command(0, &["EXISTS", KEY]), "0");
}
