//! The helpers of testkit: they do what they say and leave nothing behind.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use testkit::{
    Bucket, Database, Etcd, Process, Redis, TcpProxy, Tripwire, environment, eventually,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// Counts databases of this name, seen from another database.
async fn databases(observer: &Database, name: &str) -> i64 {
    let sql =
        format!("SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = '{name}'");
    observer.value(&sql).await
}

#[tokio::test]
async fn a_database_is_on_primary_and_replica_and_goes_also_after_a_panic() {
    let observer = Database::create().await;
    let database = Database::create().await;
    let name = database.name().to_owned();
    database
        .execute("CREATE TABLE t (id BIGINT PRIMARY KEY)")
        .await;
    database.execute("INSERT INTO t VALUES (42)").await;
    assert_eq!(database.value::<i64>("SELECT id FROM t").await, 42);
    database.replicas_caught_up().await;
    assert_eq!(database.replica_value::<i64>("SELECT id FROM t").await, 42);

    let panicked = tokio::spawn(async move {
        let _owned = database;
        panic!("on purpose");
    });
    assert!(panicked.await.unwrap_err().is_panic());
    assert_eq!(databases(&observer, &name).await, 0);
}

#[tokio::test]
async fn a_held_row_is_locked_until_the_value_goes_and_no_longer() {
    let database = Database::create().await;
    database
        .execute("CREATE TABLE t (id BIGINT PRIMARY KEY, n BIGINT)")
        .await;
    database
        .execute("INSERT INTO t VALUES (1, 1), (2, 2)")
        .await;
    let ids: Vec<i64> = database.column("SELECT id FROM t ORDER BY id").await;
    assert_eq!(ids, [1, 2]);
    let held = database
        .hold("SELECT n FROM t WHERE id = 1 FOR UPDATE")
        .await;
    let free = "SELECT n FROM t ORDER BY id FOR UPDATE SKIP LOCKED";
    assert_eq!(database.column::<i64>(free).await, [2]);
    drop(held);
    eventually(Duration::from_secs(5), "a free row", async || {
        (database.column::<i64>(free).await == [1, 2]).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_redis_keeps_its_data_over_a_restart_unless_it_is_set_back_or_emptied() {
    let redis = Redis::start().await;
    let get = || redis.command(1, &["GET", "a"]);
    assert_eq!(redis.command(1, &["SET", "a", "1"]), "OK");
    let backup = redis.backup();
    redis.command(1, &["SET", "a", "2"]);
    redis.restart().await;
    assert_eq!(get(), "2");
    redis.restart_from(&backup).await;
    assert_eq!(get(), "1");
    redis.restart_empty().await;
    assert_eq!(get(), "");
}

#[tokio::test]
async fn a_bucket_shows_its_objects_and_goes_with_them() {
    let bucket = Bucket::create().await;
    assert!(bucket.keys().await.is_empty() && bucket.open_uploads().await.is_empty());
    bucket.put("a/one", b"1".to_vec()).await;
    bucket.put("b", b"2".to_vec()).await;
    assert_eq!(bucket.keys().await, ["a/one", "b"]);
    let url = format!("{}/{}/b", environment::s3_endpoint(), bucket.name());
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    assert_eq!(
        http.get(&url).send().await.unwrap().status(),
        403,
        "not public"
    );
    drop(bucket);
    assert!(matches!(
        http.get(&url).send().await.unwrap().status().as_u16(),
        403 | 404
    ));
}

#[tokio::test]
async fn an_etcd_keeps_its_data_over_a_restart_unless_it_restarts_empty() {
    let etcd = Etcd::start().await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let post = async |path: &str, body: &str| {
        let url = format!("{}/v3/kv/{path}", etcd.endpoint());
        let answer = http
            .post(url)
            .body(body.to_owned())
            .timeout(Duration::from_secs(2))
            .send()
            .await;
        match answer {
            Ok(answer) => answer.text().await.ok(),
            Err(_) => None,
        }
    };
    // "a" and "b" in base64.
    post("put", r#"{"key":"YQ==","value":"Yg=="}"#)
        .await
        .unwrap();
    etcd.kill();
    assert_eq!(post("range", r#"{"key":"YQ=="}"#).await, None);
    etcd.restart().await;
    let found = post("range", r#"{"key":"YQ=="}"#).await.unwrap();
    assert!(found.contains("Yg=="), "{found}");
    etcd.restart_empty().await;
    let found = post("range", r#"{"key":"YQ=="}"#).await.unwrap();
    assert!(!found.contains("Yg=="), "{found}");
    etcd.freeze();
    assert_eq!(post("range", r#"{"key":"YQ=="}"#).await, None);
    etcd.thaw();
    eventually(Duration::from_secs(5), "etcd after a freeze", async || {
        post("range", r#"{"key":"YQ=="}"#).await
    })
    .await;
}

#[tokio::test]
async fn a_proxy_delays_all_answers_of_a_connection_and_changes_none() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (mut read, mut write) = stream.split();
        tokio::io::copy(&mut read, &mut write).await.unwrap();
    });
    let proxy = TcpProxy::to(&server.to_string()).await;
    let mut client = TcpStream::connect(proxy.address()).await.unwrap();
    let question: Vec<u8> = (0..100_000_u32).map(|n| n as u8).collect();
    // Far above what an echo takes on a busy machine.
    let delay = Duration::from_secs(2);
    let mut ask = async || {
        let (start, mut answer) = (Instant::now(), vec![0; question.len()]);
        let (mut read, mut write) = client.split();
        let (written, got) = tokio::join!(write.write_all(&question), read.read_exact(&mut answer));
        written.unwrap();
        got.unwrap();
        assert!(answer == question, "another answer");
        start.elapsed()
    };
    let took = ask().await;
    assert!(took < delay, "{took:?}");
    proxy.delay(delay);
    let took = ask().await;
    // Later by the delay, not by one for each piece.
    assert!((delay..4 * delay).contains(&took), "{took:?}");
    proxy.delay(Duration::ZERO);
    let took = ask().await;
    assert!(took < delay, "{took:?}");
}

#[tokio::test]
async fn a_process_ends_with_its_value_and_keeps_a_log() {
    let mut command = Command::new("sh");
    command.args(["-c", r#"echo '{"n":1}'; echo text; echo "127.0.0.1:7" > "$DOUSHENG_ADDRESS_FILE"; exec sleep 60"#]);
    let process = Process::spawn("sleeper", command);
    assert_eq!(process.address().await.port(), 7);
    assert_eq!(process.log_lines(), [serde_json::json!({"n": 1})]);
    let proc = format!("/proc/{}", process.pid());
    assert!(std::path::Path::new(&proc).exists());
    drop(process);
    assert!(!std::path::Path::new(&proc).exists());
}

#[tokio::test]
async fn a_terminated_process_tells_its_status() {
    let mut command = Command::new("sh");
    command.args(["-c", r#"trap 'exit 7' TERM; echo "127.0.0.1:7" > "$DOUSHENG_ADDRESS_FILE"; while :; do sleep 0.05; done"#]);
    let process = Process::spawn("polite", command);
    process.address().await;
    process.terminate();
    assert_eq!(process.ended(Duration::from_secs(5)).await.code(), Some(7));
}

#[tokio::test]
async fn a_tripwire_counts_visits() {
    let tripwire = Tripwire::set();
    assert_eq!(tripwire.visits(), 0);
    let _visit = tokio::net::TcpStream::connect(tripwire.address())
        .await
        .unwrap();
    assert_eq!(tripwire.visits(), 1);
}
