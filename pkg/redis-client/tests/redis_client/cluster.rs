//! A Redis Cluster of three nodes: keys and scripts on all nodes, and a node that is killed and comes back.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use redis_client::{Bytes, Client, Script};
use settings::{Secret, Settings};
use testkit::{RedisCluster, eventually};

const SOON: Duration = Duration::from_secs(20);
/// Enough that each node has some.
const KEYS: usize = 100;

fn link(cluster: &RedisCluster) -> Arc<Client> {
    let mut settings = Settings::load().unwrap().redis;
    settings.url = Secret::new(cluster.url());
    settings.command_timeout_ms = 2000;
    // Which there is none of.
    Client::open("test", &settings, settings.marks_db).unwrap()
}

async fn answers(link: &Arc<Client>) {
    eventually(SOON, "an answer", async || link.ping().await.ok()).await;
}

fn keys() -> Vec<String> {
    (0..KEYS).map(|n| format!("t:{{{n}}}:key")).collect()
}

/// Sets every key to its argument; how many were.
async fn set_all(link: &Arc<Client>, script: &Script, value: &str) -> usize {
    let calls: Vec<redis_client::ScriptCall> = keys()
        .into_iter()
        .map(|key| (vec![key], vec![value.to_owned()]))
        .collect();
    let replies = link.run_script(script, &calls).await.unwrap();
    replies.iter().filter(|reply| reply.is_ok()).count()
}

async fn scanned(link: &Arc<Client>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut cursor = "0".to_owned();
    loop {
        let (next, page) = link.scan_page(&cursor, "t:{*}:*", 10).await.unwrap();
        found.extend(
            page.iter()
                .map(|key| String::from_utf8_lossy(key).into_owned()),
        );
        if next == "0" {
            return found;
        }
        cursor = next;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_all_nodes_are_read_written_and_found_and_a_node_may_come_back_empty() {
    let cluster = RedisCluster::start().await;
    let link = link(&cluster);
    answers(&link).await;
    let script = Script::from_lua("redis.call('SET', KEYS[1], ARGV[1]) return 1");
    assert_eq!(set_all(&link, &script, "one").await, KEYS);
    assert!(
        cluster.sizes().iter().all(|size| *size > 0),
        "{:?}",
        cluster.sizes()
    );
    let texts = link.get_all(keys()).await.unwrap();
    assert_eq!(texts, vec![Some(Bytes::from_static(b"one")); KEYS]);
    assert_eq!(scanned(&link).await, keys().into_iter().collect());

    let before = link.run_id().await.unwrap();
    cluster.kill(1);
    eventually(SOON, "a refusal", async || link.ping().await.err()).await;
    cluster.restart_empty(1).await;
    answers(&link).await;
    assert_ne!(
        link.run_id().await.unwrap(),
        before,
        "a node was started anew"
    );
    let left = link.get_all(keys()).await.unwrap();
    let missing = left.iter().filter(|text| text.is_none()).count();
    assert!((1..KEYS).contains(&missing), "a third of them: {missing}");
    // That node doesn't know the script any more.
    assert_eq!(set_all(&link, &script, "two").await, KEYS);
    let texts = link.get_all(keys()).await.unwrap();
    assert_eq!(texts, vec![Some(Bytes::from_static(b"two")); KEYS]);

    link.invalidate(keys().into_iter().map(|key| vec![key]).collect())
        .await;
    assert_eq!(scanned(&link).await, BTreeSet::new());
}
