//! Redis and Redis Cluster by TLS, with certificates that the test makes.

use std::{path::PathBuf, time::Duration};

use redis_client::{Bytes, Client, Script};
use settings::{Secret, Settings};
use testkit::{Certificates, Redis, RedisCluster, eventually};

const SOON: Duration = Duration::from_secs(20);
/// For a connection that isn't to come about.
const A_WHILE: Duration = Duration::from_millis(500);
const KEYS: usize = 30;

fn link(url: &str, ca_file: Option<PathBuf>) -> std::sync::Arc<Client> {
    let mut settings = Settings::load().unwrap().redis;
    settings.url = Secret::new(url);
    settings.ca_file = ca_file;
    settings.command_timeout_ms = 2000;
    Client::open("test", &settings, 0).unwrap()
}

async fn is_let_in(url: &str, ca_file: Option<PathBuf>, within: Duration) -> bool {
    let link = link(url, ca_file);
    let answer = eventually(SOON * 2, "an answer", async || link.ping().await.ok());
    tokio::time::timeout(within, answer).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_by_tls_is_used_where_its_certificate_is_trusted() {
    let certificates = Certificates::make();
    let redis = Redis::start_with_tls(&certificates).await;
    let (url, ca) = (redis.url(), Some(certificates.ca()));
    assert!(is_let_in(&url, ca.clone(), SOON).await);
    let by_name = url.replace("127.0.0.1", "localhost");
    assert!(is_let_in(&by_name, ca.clone(), SOON).await);

    let another_name = url.replace("127.0.0.1", "127.0.0.2");
    let another = Certificates::make();
    let anothers_ca = Some(another.ca());
    for (url, ca) in [(&url, None), (&url, anothers_ca), (&another_name, ca)] {
        assert!(!is_let_in(url, ca.clone(), A_WHILE).await, "{url} {ca:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_by_tls_is_used_on_all_its_nodes() {
    let certificates = Certificates::make();
    let cluster = RedisCluster::start_with_tls(&certificates).await;
    let by_name = cluster.url().replace("127.0.0.1", "localhost");
    for (url, value) in [(cluster.url(), "one"), (by_name, "two")] {
        let link = link(&url, Some(certificates.ca()));
        eventually(SOON, "an answer", async || link.ping().await.ok()).await;
        let keys: Vec<String> = (0..KEYS).map(|n| format!("t:{{{n}}}:key")).collect();
        let script = Script::from_lua("redis.call('SET', KEYS[1], ARGV[1]) return 1");
        let calls: Vec<redis_client::ScriptCall> = keys
            .iter()
            .map(|key| (vec![key.clone()], vec![value.to_owned()]))
            .collect();
        let replies = link.run_script(&script, &calls).await.unwrap();
        assert!(replies.iter().all(Result::is_ok), "{replies:?}");
        assert!(cluster.sizes().iter().all(|size| *size > 0));
        let texts = link.get_all(keys).await.unwrap();
        assert_eq!(texts, vec![Some(Bytes::from(value)); KEYS]);
    }
}
