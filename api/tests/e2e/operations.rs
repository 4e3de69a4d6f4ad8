//! What an operator sees: metrics that move, and the lines of a request.

use std::{collections::BTreeSet, ops::RangeBounds, time::Duration};

use serde_json::Value;
use telemetry::metrics::FAMILIES;
use testkit::{Client, Process, eventually, media};

use crate::{scene::publish_video, system_builder};

/// By when each process has folded, or looked at what it depends on.
const SOON: Duration = Duration::from_secs(20);

/// What a process shows at /metrics.
struct Metrics(String);

impl Metrics {
    async fn of(client: &Client) -> Self {
        let reply = client.get("/metrics", &[]).await;
        assert_eq!(reply.http, 200);
        Self(reply.text)
    }

    /// The sum over all series of a family that have these labels, "name=value name=value"; none: there is no such series.
    fn sum(&self, family: &str, labels: &str) -> Option<f64> {
        let labels: Vec<String> = labels
            .split_whitespace()
            .map(|label| format!("{}\"", label.replacen('=', "=\"", 1)))
            .collect();
        let values = self.0.lines().filter_map(|line| {
            let (series, value) = line.rsplit_once(' ')?;
            let (name, rest) = series.split_once('{')?;
            let wanted = name == family && labels.iter().all(|label| rest.contains(label));
            wanted.then(|| value.parse::<f64>().unwrap())
        });
        values.reduce(|sum, value| sum + value)
    }

    /// Panics unless that sum is in the range.
    fn has(&self, family: &str, labels: &str, range: impl RangeBounds<f64>) {
        let sum = self.sum(family, labels);
        let plausible = sum.is_some_and(|sum| range.contains(&sum));
        assert!(plausible, "{family} {labels}: {sum:?} in\n{}", self.0);
    }

    fn families(&self) -> BTreeSet<String> {
        let types = self.0.lines().filter_map(|l| l.strip_prefix("# TYPE "));
        types
            .filter_map(|line| line.split(' ').next())
            .map(str::to_owned)
            .collect()
    }
}

async fn admin(process: &Process) -> Client {
    Client::new(&format!("http://{}", process.admin_address().await))
}

/// Families that only a fault brings.
const OF_FAULTS: [&str; 8] = [
    "discarded_bodies_total",
    "discarded_bytes_total",
    "limit_refusals_total",
    "object_store_retries_total",
    "rpc_client_retries_refused_total",
    "rpc_server_clear_secret_total",
    "semaphore_refusals_total",
    "sql_failures_total",
];

#[tokio::test]
async fn each_family_is_there_and_moves_with_what_happens() {
    let system = system_builder()
        .instances("transcoder", 1)
        .set("counters.fold_period_ms", 200)
        .set("reaper.period_s", 1)
        .start()
        .await;
    let client = system.client();
    let account = client.new_account().await;
    let video_id = publish_video(&client, &account).await;
    let broken = client
        .publish(&account.token, "No film", b"no film".to_vec())
        .await;
    assert_ne!(broken.code(), 0);
    client
        .publish(&account.token, "To be made ready", media::mpeg4())
        .await
        .ok();
    client.like(&account.token, video_id).await.ok();
    client.comment(&account.token, video_id, "Well").await.ok();
    for _ in 0..5 {
        client.feed(&[("token", &account.token)]).await.ok();
        client.feed(&[]).await.ok();
    }
    client.get("/nowhere/12345", &[]).await;
    // Dependencies are looked at every few seconds, asked or not.
    let mut admins = Vec::new();
    for service in ["api", "user", "video", "favorite", "comment"] {
        admins.push(admin(&system.instances(service)[0]).await);
    }
    let left_over = "INSERT INTO uploads (object_key, author_id, created_at) \
        VALUES ('videos/01890a5d-ac96-774b-bcce-b302099a8057.mp4', 1, NOW(3) - INTERVAL 1 DAY)";
    system.database().execute(left_over).await;
    eventually(SOON, "the reaper", async || {
        let metrics = Metrics::of(&admins[2]).await;
        let reaped = metrics.sum("reaped_total", "kind=upload");
        (reaped == Some(1.0)).then_some(())
    })
    .await;
    let (video, folder) = (&admins[2], &admins[3..]);
    eventually(SOON, "a fold, and a look at the dependencies", async || {
        let mut sums = Vec::new();
        let metrics = Metrics::of(video).await;
        metrics.sum("dependency_up", "dependency=primary")?;
        for admin in folder {
            let metrics = Metrics::of(admin).await;
            sums.push(metrics.sum("counter_folds_total", "outcome=folded"));
            metrics.sum("dependency_up", "dependency=redis")?;
        }
        sums.into_iter().flatten().next()
    })
    .await;
    let mut all = Vec::new();
    for admin in &admins {
        all.push(Metrics::of(admin).await);
    }
    let [api, user, video, favorite, comment] = all.as_slice() else {
        panic!("five processes");
    };

    api.has(
        "http_requests_total",
        "route=/douyin/feed/ status=200",
        10.0..,
    );
    api.has("http_requests_total", "route=none status=404", 1.0..=1.0);
    api.has(
        "http_request_duration_seconds_count",
        "route=/douyin/feed/",
        10.0..,
    );
    api.has("http_request_duration_seconds_sum", "", 0.001..60.0);
    api.has("http_requests_in_progress", "", 0.0..=0.0);
    api.has(
        "rpc_client_requests_total",
        "callee=video method=feed outcome=ok",
        10.0..,
    );
    api.has(
        "rpc_client_request_duration_seconds_count",
        "callee=user",
        2.0..,
    );
    api.has(
        "rpc_client_attempts_total",
        "callee=user outcome=answered",
        2.0..,
    );
    api.has("cache_lookups_total", "cache=users outcome=hit", 5.0..);
    api.has("cache_lookups_total", "cache=users outcome=miss", 1.0..);
    api.has("registry_instances", "callee=comment", 1.0..=1.0);
    api.has("uploads_total", "outcome=published", 2.0..=2.0);
    api.has("uploads_total", "outcome=refused", 1.0..=1.0);
    api.has("uploads_in_progress", "", 0.0..=0.0);
    api.has("upload_bytes_total", "", (media::mp4().len() as f64)..);
    api.has(
        "object_store_requests_total",
        "operation=put outcome=ok",
        1.0..,
    );
    api.has(
        "object_store_request_duration_seconds_count",
        "operation=put",
        1.0..,
    );
    api.has("semaphore_permits", "semaphore=spool", 1.0..);
    api.has("semaphore_permits_used", "semaphore=spool", 0.0..=0.0);
    api.has("process_resident_memory_bytes", "", 1e6..1e9);
    assert!(!api.0.contains("12345"), "an id in a label:\n{}", api.0);

    user.has("rpc_server_requests_total", "method=register code=0", 1.0..);
    user.has(
        "rpc_server_request_duration_seconds_count",
        "method=register",
        1.0..,
    );
    user.has("rpc_server_requests_in_progress", "", 0.0..=0.0);
    user.has("registry_registered", "", 1.0..=1.0);
    user.has("semaphore_permits", "semaphore=bcrypt", 1.0..);
    user.has("queue_length", "queue=bcrypt", 0.0..=0.0);
    user.has(
        "sql_statements_total",
        "verb=write server=primary reason=verb",
        1.0..,
    );
    user.has(
        "sql_statements_total",
        "verb=read_own_writes server=primary",
        1.0..,
    );
    user.has("sql_duration_seconds_count", "server=primary", 2.0..);
    user.has("db_pool_connections", "server=primary", 1.0..);
    user.has("db_pool_connections_max", "server=replica-1", 1.0..);

    // At any one moment the replica may be late, or a look at the primary too slow: more pages are read until all is well.
    eventually(SOON, "reads of a replica, all being well", async || {
        client.feed(&[]).await.ok();
        let metrics = Metrics::of(&admins[2]).await;
        let by_replica = "verb=read server=replica-1 reason=replica";
        let reads = metrics.sum("sql_statements_total", by_replica)?;
        let in_rotation = metrics.sum("db_replica_in_rotation", "server=replica-1")?;
        let up = metrics.sum("dependency_up", "dependency=primary")?;
        (reads >= 5.0 && (in_rotation, up) == (1.0, 1.0)).then_some(())
    })
    .await;
    video.has("db_semi_sync_active", "", 0.0..=1.0);
    video.has("db_semi_sync_replicas", "", 1.0..);
    video.has("semaphore_permits_used", "semaphore=ffmpeg", 0.0..=0.0);
    video.has("object_store_requests_total", "operation=stat", 1.0..);

    favorite.has("queue_length", "queue=likes", 0.0..=0.0);
    video.has("redis_commands_total", "operation=get outcome=ok", 1.0..);
    favorite.has(
        "redis_command_duration_seconds_count",
        "operation=script",
        1.0..,
    );
    favorite.has("redis_connected", "database=favorites", 1.0..=1.0);
    video.has("counter_reads_total", "source=redis", 1.0..);
    comment.has("redis_connected", "database=comments", 1.0..=1.0);
    // Either of them folds.
    let sum = |family: &str| {
        let sums = [favorite, comment].map(|metrics| metrics.sum(family, ""));
        sums.into_iter().flatten().sum::<f64>()
    };
    assert!(sum("counter_folds_total") >= 1.0);
    assert!(
        sum("counter_fold_rows_sum") >= 4.0,
        "a like is 3, a comment 1"
    );
    let age = |metrics: &Metrics| metrics.sum("counter_backlog_age_seconds", "");
    for age in [favorite, comment].map(age) {
        assert!(age.is_some_and(|age| (0.0..60.0).contains(&age)), "{age:?}");
    }

    // The port of the contract has the same.
    Metrics::of(&client)
        .await
        .has("http_requests_total", "route=/douyin/feed/", 10.0..);
    let transcoder = admin(&system.instances("transcoder")[0]).await;
    let transcoder = eventually(SOON, "a job that is done", async || {
        let metrics = Metrics::of(&transcoder).await;
        let done = metrics.sum("transcoder_attempts_total", "outcome=done");
        (done == Some(1.0)).then_some(metrics)
    })
    .await;
    transcoder.has("transcoder_jobs", "state=waiting", 0.0..=1.0);

    let shown = all.iter().chain([&transcoder]);
    let shown: BTreeSet<String> = shown.flat_map(Metrics::families).collect();
    let missing: Vec<&str> = FAMILIES
        .iter()
        .map(|family| family.name)
        .filter(|name| !shown.contains(*name) && !OF_FAULTS.contains(name))
        .collect();
    assert!(missing.is_empty(), "not shown by any process: {missing:?}");
}

#[tokio::test]
async fn a_request_has_one_line_in_each_process_with_the_same_id() {
    let system = system_builder().start().await;
    let client = system.client();
    let account = client.new_account().await;
    let reply = client.user(account.user_id, &account.token).await;
    let id = reply.request_id().to_owned();
    let lines = |process: &Process, message: &str| {
        let mut lines = process.log_lines();
        lines
            .retain(|line| line["span"]["request_id"] == id.as_str() && line["message"] == message);
        lines
    };
    let api = lines(system.api(), "request");
    let [line] = api.as_slice() else {
        panic!("not one line: {api:?}");
    };
    assert_eq!(line["route"], "/douyin/user/");
    assert_eq!(
        (&line["status"], &line["user_id"]),
        (&200.into(), &account.user_id.into())
    );
    assert!(line["latency_ms"].is_u64(), "{line}");
    assert_eq!(lines(&system.instances("user")[0], "served").len(), 1);
    // Probes are no requests.
    client.get("/healthz", &[]).await;
    let is_probe = |line: &Value| {
        line["route"]
            .as_str()
            .is_some_and(|route| route.contains("health"))
    };
    assert!(!system.api().log_lines().iter().any(is_probe));
}

#[tokio::test]
async fn strangers_learn_nothing_of_how_it_is_where_the_admin_paths_are_off() {
    let system = system_builder()
        .set("http.admin_paths", "off")
        .start()
        .await;
    let client = system.client();
    for path in ["/readyz", "/metrics", "/metrics/"] {
        let reply = client.get(path, &[]).await;
        assert_eq!((reply.http, reply.code()), (404, 10001), "{path}");
    }
    assert_eq!(client.get("/healthz", &[]).await.http, 200);
    let admin = admin(system.api()).await;
    for path in ["/healthz", "/metrics"] {
        assert_eq!(admin.get(path, &[]).await.http, 200, "{path}");
    }
}
