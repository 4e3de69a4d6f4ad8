//! Benchmark: what runs beside the requests, on a large installation's data against a tenth of it: a fold of many open rows of the ledger, a whole
//! `reconcile`, a whole comparison of Redis, a pass of the reaper, and a backup from a replica, each under 500 likes a second.
//!
//! Wants the servers of the tests, with a replica; the databases are kept for the next time. Takes half an hour the first time.
//! `GROW=0.1` compares a tenth with a hundredth. Says which figures are above their limits.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

use std::{
    fs,
    future::Future,
    ops::Range,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use dal::{Db, counters::Counters, counts::Counter, fold, position::Position};
use futures::stream::{self, StreamExt as _};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use settings::Redis;
use testkit::{Client, Database, Process, System, environment, token_of};
use tokio::{
    sync::oneshot,
    task::JoinSet,
    time::{MissedTickBehavior, interval, timeout},
};

/// Of a database of scale 1.
const OPEN_ROWS: f64 = 1_000_000.0;
const UPLOADS: f64 = 10_000.0;
/// Up to the reaper's watermark; a tenth as many follow it.
const OBJECTS: f64 = 10_000.0;
/// Objects that are stored at once.
const PUTS: usize = 16;
/// Ledger rows of one statement.
const CHUNK: usize = 10_000;
const LIKE_PERIOD: Duration = Duration::from_millis(2);
/// More are not sent at once, so that what doesn't keep up isn't buried.
const MAX_LIKES_AT_ONCE: usize = 256;
const QUIET: Duration = Duration::from_secs(10);
const TOKENS: i64 = 1000;
const TOKEN_TTL: Duration = Duration::from_secs(24 * 3600);
const FOLD_WORKERS: usize = 4;
const LIMIT: Duration = Duration::from_secs(3600);

/// Limit of the time, as a multiple of that on a tenth of the data.
const MAX_RATIO: f64 = 12.0;
const MAX_MIB: f64 = 128.0;
/// Limit of the time of a statement on the primary, as the servers of the tests count it (`long_query_time`).
const MAX_STATEMENT_MS: i64 = 1000;
/// Limit of the p99 of a like, as a multiple of that beside nothing.
const MAX_DELAY: f64 = 2.0;

/// A database of one scale, and a system over it.
struct Side {
    scale: f64,
    system: System,
    db: Db,
    counters: Counters,
    first_user: i64,
    first_video: i64,
    videos: i64,
}

/// What one job took.
struct Cost {
    took: Duration,
    /// Of a like, meanwhile.
    p99: Duration,
    peak_mib: f64,
    slow_statements: i64,
}

impl Side {
    async fn start(scale: f64) -> Self {
        let name = format!("growth_{}", scale.to_string().replace('.', "_"));
        let database = Database::kept(&name).await;
        let limit = "SELECT CAST(@@global.long_query_time * 1000 AS SIGNED)";
        assert_eq!(
            database.value::<i64>(limit).await,
            MAX_STATEMENT_MS,
            "servers of an older version are up: scripts/test-infra.sh down"
        );
        let bound = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'bucket'";
        if database.value::<i64>(bound).await > 0 {
            // To the bucket of an earlier run, which is gone.
            database.execute("DELETE FROM bucket").await;
        }
        let system = System::builder()
            .set("mysql.max_connections", 32)
            // This program folds.
            .set("counters.fold_period_ms", 3_600_000)
            // A pass at the start of each video service, and no other.
            .set("reaper.period_s", 86_400)
            .database(database)
            .start()
            .await;
        let database = system.database();
        let videos = "SELECT CAST(COUNT(*) AS SIGNED) FROM videos";
        if database.value::<i64>(videos).await == 0 {
            grow(database, scale);
        }
        let videos: i64 = database.value(videos).await;
        let first = async |table: &str| {
            let sql = format!("SELECT MIN(id) FROM {table}");
            database.value::<i64>(&sql).await
        };
        let (first_user, first_video) = (first("users").await, first("videos").await);
        caught_up(database).await;
        let db = Db::connect(&database.settings(16)).unwrap();
        // The longest that a comparison may take.
        let redis = Redis {
            counter_ttl_s: 3600,
            ..environment::redis_settings(format!("growth-{}:", std::process::id()))
        };
        let counters = Counters::connect(&redis, db.clone()).unwrap();
        Self {
            scale,
            db,
            counters,
            first_user,
            first_video,
            videos,
            system,
        }
    }

    /// Likes at a steady rate while `job` runs; returns its result and the latencies.
    async fn under_likes<T>(&self, job: impl Future<Output = T>) -> (T, Vec<Duration>) {
        let (client, first_user) = (self.system.client(), self.first_user);
        let (first_video, videos) = (self.first_video, self.videos);
        let (stop, mut stopped) = oneshot::channel::<()>();
        let load = tokio::spawn(async move {
            let tokens: Vec<String> = (0..TOKENS)
                .map(|n| token_of(first_user + n, TOKEN_TTL))
                .collect();
            let mut random = SmallRng::seed_from_u64(videos.cast_unsigned());
            let (mut likes, mut latencies) = (JoinSet::new(), Vec::new());
            let mut ticks = interval(LIKE_PERIOD);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            while stopped.try_recv() == Err(oneshot::error::TryRecvError::Empty) {
                ticks.tick().await;
                while likes.len() >= MAX_LIKES_AT_ONCE {
                    latencies.extend(likes.join_next().await);
                }
                while let Some(latency) = likes.try_join_next() {
                    latencies.push(latency);
                }
                let token = tokens[random.random_range(0..tokens.len())].clone();
                let video_id = first_video + random.random_range(0..videos);
                likes.spawn(like(client.clone(), token, video_id));
            }
            latencies.extend(likes.join_all().await.into_iter().map(Ok));
            latencies.into_iter().map(Result::unwrap).collect()
        });
        let result = job.await;
        let _ = stop.send(());
        (result, load.await.unwrap())
    }

    async fn slow_statements(&self) -> i64 {
        let sql = "SELECT CAST(VARIABLE_VALUE AS SIGNED) FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'SLOW_QUERIES'";
        self.system.database().value(sql).await
    }

    /// `job` returns the most memory that it took, in MiB.
    async fn cost(&self, job: impl Future<Output = f64>) -> Cost {
        let (before, begun) = (self.slow_statements().await, Instant::now());
        let timed = async { (job.await, begun.elapsed()) };
        let ((peak_mib, took), latencies) = self.under_likes(timed).await;
        Cost {
            took,
            p99: p99(latencies),
            peak_mib,
            slow_statements: self.slow_statements().await - before,
        }
    }

    /// Opens rows of the ledger. Their sums are 0, so all counts stay equal to their rows.
    async fn open_rows(&self) {
        let digit = "(SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 \
             UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)";
        for chunk in 0..(OPEN_ROWS * self.scale) as usize / CHUNK {
            let (delta, offset) = (if chunk % 2 == 0 { 1 } else { -1 }, chunk / 2 * CHUNK);
            self.system
                .database()
                .execute(&format!(
                    "INSERT INTO ledger (kind, target_id, delta, generation) \
                     SELECT 1, {} + MOD({offset} + a.d + 10 * b.d + 100 * c.d + 1000 * e.d, {}), {delta}, \
                         (SELECT generation FROM folder WHERE id = 1) \
                     FROM {digit} AS a, {digit} AS b, {digit} AS c, {digit} AS e",
                    self.first_video, self.videos
                ))
                .await;
        }
    }

    async fn fold(&self) -> f64 {
        // Peak memory is counted anew from here.
        fs::write("/proc/self/clear_refs", "5").unwrap();
        fold::fold_ledger(&self.db, FOLD_WORKERS).await.unwrap();
        peak_mib(std::process::id())
    }

    async fn fill_redis(&self) {
        let ids: Vec<i64> = (self.first_video..self.first_video + self.videos).collect();
        for ids in ids.chunks(1000) {
            let counters: Vec<Counter> =
                ids.iter().map(|id| Counter::VideoFavorites(*id)).collect();
            self.counters.read(&counters).await.unwrap();
        }
    }

    async fn compare_redis(&self) -> f64 {
        fs::write("/proc/self/clear_refs", "5").unwrap();
        let newest: String = self
            .system
            .database()
            .value("SELECT @@global.gtid_binlog_pos")
            .await;
        let seq = newest.rsplit('-').next().and_then(|seq| seq.parse().ok());
        let position = Position {
            seq: seq.expect("a GTID"),
        };
        let pass = self.counters.scan_pass(position).await.unwrap();
        assert!(pass.scanned as i64 >= self.videos, "{pass:?}");
        peak_mib(std::process::id())
    }

    /// Uploads whose clients are gone.
    async fn abandon_uploads(&self) {
        let rows = (UPLOADS * self.scale) as usize;
        for first in (0..rows).step_by(1000) {
            let values: Vec<String> = (first..first + 1000)
                .map(|n| {
                    format!("('videos/00000000-0000-7000-9000-{n:012}.mp4', {}, NOW(3) - INTERVAL 30 DAY)", self.first_user)
                })
                .collect();
            let sql = format!(
                "INSERT INTO uploads (object_key, author_id, created_at) VALUES {}",
                values.join(", ")
            );
            self.system.database().execute(&sql).await;
        }
    }

    /// Objects of the videos with these numbers.
    async fn store_objects(&self, videos: Range<i64>) {
        let (bucket, first) = (self.system.bucket(), self.first_video);
        stream::iter(videos)
            .for_each_concurrent(PUTS, |n| async move {
                let key = format!("videos/00000000-0000-7000-8000-{:012}.mp4", first + n);
                bucket.put(&key, vec![0]).await;
            })
            .await;
    }

    /// A bucket that was read up to the watermark, and then grew; and uploads that are long over.
    async fn prepare_reaper(&self) {
        let objects = (OBJECTS * self.scale) as i64;
        self.store_objects(0..objects).await;
        self.program("reap").await;
        self.store_objects(objects..objects + objects / 10).await;
        self.abandon_uploads().await;
    }

    /// The pass that a video service makes at its start.
    async fn reap(&self) -> f64 {
        let mut variables = self.system.variables().clone();
        // Nobody calls this one.
        variables.insert("DOUSHENG_ETCD__PREFIX".into(), "growth-reaper".into());
        let service = Process::workspace_binary("video", variables);
        let pass = async {
            let mut ticks = interval(Duration::from_millis(200));
            while !service.log().contains("leftovers removed") {
                ticks.tick().await;
            }
        };
        watched(service.pid(), async {
            let is_over = timeout(LIMIT, pass).await.is_ok();
            assert!(is_over, "no pass of the reaper: {}", service.tail());
        })
        .await
    }

    async fn program(&self, name: &str) -> f64 {
        let program = Process::workspace_binary(name, self.system.variables());
        watched(program.pid(), async {
            let status = program.ended(LIMIT).await;
            if !status.success() {
                println!("{name} failed: {status}\n{}", program.tail());
            }
        })
        .await
    }

    async fn back_up(&self, directory: &Path) -> f64 {
        let database = self.system.database();
        let mut backup = tokio::process::Command::new(script("backup.sh"))
            .arg(directory)
            .envs(self.system.variables())
            .env("DOUSHENG_MYSQL__MIGRATE_URL", database.migrate_url())
            .env("DOUSHENG_MYSQL__REPLICA_URLS", database.replica_url())
            .spawn()
            .expect("bash");
        let pid = backup.id().expect("a pid");
        watched(pid, async {
            assert!(backup.wait().await.unwrap().success())
        })
        .await
    }
}

async fn like(client: Client, token: String, video_id: i64) -> Duration {
    let begun = Instant::now();
    client.like(&token, video_id).await.ok();
    begun.elapsed()
}

/// The most memory of a process and all that it starts, while `end` isn't there, in MiB.
async fn watched<T>(pid: u32, end: impl Future<Output = T>) -> f64 {
    let mut peak: f64 = 0.0;
    let mut ticks = interval(Duration::from_millis(100));
    tokio::pin!(end);
    loop {
        tokio::select! {
            _ = &mut end => return peak,
            _ = ticks.tick() => peak = peak.max(tree(pid).into_iter().map(peak_mib).sum()),
        }
    }
}

/// A process, and all that run at this moment because of it.
fn tree(pid: u32) -> Vec<u32> {
    // Only its first thread is asked: no script starts another.
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    let children = children.unwrap_or_default();
    let children = children
        .split_ascii_whitespace()
        .map(|pid| tree(pid.parse().unwrap()));
    let mut all: Vec<u32> = children.flatten().collect();
    all.push(pid);
    all
}

fn peak_mib(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<f64>().ok());
    kib.unwrap_or_default() / 1024.0
}

fn p99(mut latencies: Vec<Duration>) -> Duration {
    latencies.sort_unstable();
    latencies[latencies.len() * 99 / 100]
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../scripts")
        .join(name)
}

fn grow(database: &Database, scale: f64) {
    let status = Command::new(script("grow.sh"))
        .env("SCALE", scale.to_string())
        .env("DOUSHENG_MYSQL__MIGRATE_URL", database.migrate_url())
        .status()
        .expect("bash");
    assert!(status.success(), "scripts/grow.sh failed");
}

/// Waits for a replica that has minutes of inserts to apply.
async fn caught_up(database: &Database) {
    let position: String = database.value("SELECT @@global.gtid_binlog_pos").await;
    let wait = format!("SELECT CAST(MASTER_GTID_WAIT('{position}', 10) AS SIGNED)");
    let begun = Instant::now();
    while database.replica_value::<i64>(&wait).await != 0 {
        assert!(begun.elapsed() < LIMIT, "the replica doesn't catch up");
    }
}

async fn measure(scale: f64) -> Vec<(&'static str, Cost)> {
    println!("scale {scale}");
    let side = Side::start(scale).await;
    let backups =
        PathBuf::from(std::env::var("DOUSHENG_TEST_RUN").unwrap_or_else(|_| ".run".to_owned()))
            .join("growth-backup");
    let mut costs = Vec::new();
    let quiet = async {
        tokio::time::sleep(QUIET).await;
        0.0
    };
    costs.push(("nothing", side.cost(quiet).await));
    side.open_rows().await;
    costs.push(("a fold of the open ledger", side.cost(side.fold()).await));
    costs.push((
        "a whole reconcile",
        side.cost(side.program("reconcile")).await,
    ));
    side.fill_redis().await;
    costs.push((
        "a comparison of all of Redis",
        side.cost(side.compare_redis()).await,
    ));
    side.prepare_reaper().await;
    costs.push(("a pass of the reaper", side.cost(side.reap()).await));
    costs.push((
        "a backup from a replica",
        side.cost(side.back_up(&backups)).await,
    ));
    fs::remove_dir_all(&backups).unwrap();
    costs
}

/// A figure as text, with its limit.
fn judged(text: &str, figure: f64, limit: f64) -> String {
    let verdict = match figure > limit {
        true => ", above its limit",
        false => "",
    };
    format!("{text} of {limit}{verdict}")
}

#[tokio::main]
async fn main() {
    let scale = std::env::var("GROW").map_or(1.0, |scale| scale.parse().expect("a scale"));
    let small = measure(scale / 10.0).await;
    let large = measure(scale).await;
    println!(
        "\n| at {scale} against {} | small | large | ratio | memory, MiB | statements over {MAX_STATEMENT_MS} ms | p99 of a like meanwhile | of the p99 beside nothing |",
        scale / 10.0
    );
    println!("|---|---|---|---|---|---|---|---|");
    let undisturbed = large[0].1.p99;
    for ((what, small), (_, large)) in small.iter().zip(&large) {
        let ratio = large.took.as_secs_f64() / small.took.as_secs_f64();
        let delay = large.p99.as_secs_f64() / undisturbed.as_secs_f64();
        let slow = large.slow_statements;
        println!(
            "| {what} | {:.1?} | {:.1?} | {} | {} | {} | {:.1?} | {} |",
            small.took,
            large.took,
            judged(&format!("{ratio:.1} ×"), ratio, MAX_RATIO),
            judged(&format!("{:.0}", large.peak_mib), large.peak_mib, MAX_MIB),
            judged(&slow.to_string(), slow as f64, 0.0),
            large.p99,
            judged(&format!("{delay:.1} ×"), delay, MAX_DELAY)
        );
    }
}
