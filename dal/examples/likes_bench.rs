//! Benchmark: likes and comments per second of 64 clients, as ratios within one run: with and without group commit, against the bare INSERT of a
//! raw client, on one hot video against 10,000 videos, and with a million likes on the video against none. Then, while one video
//! gets 1,000 likes a second: the share of the reads of its count that Redis answers.
//!
//! Wants the servers of the tests; works in a database of its own and drops it. The rounds are short and take turns, so that
//! what else the machine does meets all of them alike. About 100 s.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

use std::time::{Duration, Instant};

use dal::{
    Db,
    comments::{Comments, NewComment},
    counters::Counters,
    counts::Counter,
    favorites::{FavoriteOp, Favorites},
    fold::{self, Folder},
    reconcile,
};
use rand::{Rng, SeedableRng, rngs::SmallRng};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};

const CLIENTS: u64 = 64;
const ROUND: Duration = Duration::from_secs(1);
const ROUNDS: u64 = 8;
const VIDEOS: i64 = 10_000;
const FAMOUS: i64 = 20_000;
const FAMOUS_LIKES: i64 = 1_000_000;
/// One like in twenty is one that is there.
const REPEATS: f64 = 0.05;
const MAX_CONNECTIONS: u32 = 64;

/// How a like is made, or a comment.
#[derive(Clone)]
enum Way {
    Bare(DatabaseConnection),
    /// Those of all clients share commits, or each client has a writer of its own, and so a commit for each.
    Likes(Vec<Favorites>),
    Comments(Vec<Comments>),
}

/// Which video is liked.
#[derive(Clone, Copy)]
enum Target {
    Spread,
    One(i64),
}

struct Scenario {
    name: &'static str,
    way: Way,
    target: fn(u64) -> Target,
}

impl Way {
    async fn write(&self, client: u64, op: FavoriteOp) {
        match self {
            Self::Bare(connection) => {
                let sql = "INSERT INTO bare (user_id, video_id, author_id, liked_us, batch) VALUES (?, ?, ?, 0, 0)";
                let values = [op.user_id.into(), op.video_id.into(), op.author_id.into()];
                let insert = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
                // A like that is there violates the key.
                let _ = connection.execute_raw(insert).await;
            }
            Self::Likes(writers) => {
                let writer = &writers[client as usize % writers.len()];
                writer.set(op).await.unwrap();
            }
            Self::Comments(writers) => {
                let writer = &writers[client as usize % writers.len()];
                let comment = NewComment {
                    video_id: op.video_id,
                    user_id: op.user_id,
                    content: "好看".to_owned(),
                    key: None,
                };
                writer.add(comment).await.unwrap();
            }
        }
    }
}

/// All rounds of a scenario.
#[derive(Default)]
struct Measured {
    took: Duration,
    latencies: Vec<Duration>,
}

impl Measured {
    /// Likes per second, and the milliseconds that half and all but 1 % of them stayed below.
    fn results(&self) -> (f64, f64, f64) {
        let mut latencies = self.latencies.clone();
        latencies.sort_unstable();
        let ms = |percent: usize| latencies[latencies.len() * percent / 100].as_secs_f64() * 1000.0;
        (
            latencies.len() as f64 / self.took.as_secs_f64(),
            ms(50),
            ms(99),
        )
    }
}

async fn measure(way: &Way, target: Target, seed: u64, measured: &mut Measured) {
    let started = Instant::now();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let way = way.clone();
            tokio::spawn(client_of(way, target, seed, client, started + ROUND))
        })
        .collect();
    for client in clients {
        measured.latencies.extend(client.await.unwrap());
    }
    measured.took += started.elapsed();
}

async fn client_of(
    way: Way,
    target: Target,
    seed: u64,
    client: u64,
    end: Instant,
) -> Vec<Duration> {
    let mut random = SmallRng::seed_from_u64(seed * 1000 + client);
    let mut latencies = Vec::new();
    let mut last: Vec<FavoriteOp> = Vec::new();
    while Instant::now() < end {
        let op = if !last.is_empty() && random.random_bool(REPEATS) {
            last[random.random_range(0..last.len())]
        } else {
            let video_id = match target {
                Target::Spread => random.random_range(1..=VIDEOS),
                Target::One(video_id) => video_id,
            };
            FavoriteOp {
                // Beyond those who like the famous video already.
                user_id: FAMOUS_LIKES + random.random_range(1..=100_000_000),
                video_id,
                author_id: video_id % 1000 + 1,
                liked: true,
            }
        };
        last.push(op);
        let started = Instant::now();
        way.write(client, op).await;
        latencies.push(started.elapsed());
    }
    latencies
}

/// A million likes of one video, counted, by doubling.
async fn make_famous(database: &testkit::Database) {
    let columns = "(user_id, video_id, author_id, liked_us, batch)";
    database
        .execute(&format!(
            "INSERT INTO favorites {columns} VALUES (1, {FAMOUS}, 1, 1, 0)"
        ))
        .await;
    let mut likes = 1;
    while likes < FAMOUS_LIKES {
        let more = likes.min(FAMOUS_LIKES - likes).min(100_000);
        database
            .execute(&format!(
                "INSERT INTO favorites {columns} SELECT user_id + {likes}, video_id, 1, liked_us, 0 FROM favorites \
                 WHERE user_id <= {more} AND video_id = {FAMOUS}"
            ))
            .await;
        likes += more;
    }
    database
        .execute(
            "INSERT INTO counters (kind, target_id, value) SELECT 4, user_id, 1 FROM favorites",
        )
        .await;
    database
        .execute(&format!(
            "INSERT INTO counters (kind, target_id, value) VALUES (1, {FAMOUS}, {FAMOUS_LIKES}), \
             (3, 1, {FAMOUS_LIKES})"
        ))
        .await;
}

/// Likes a video 1,000 times a second and reads its count meanwhile; prints who answered the reads.
async fn read_while_liked(grouped: &Way, counters: &Counters, video_id: i64) {
    let before = counters.stats();
    let end = Instant::now() + 3 * ROUND;
    let readers: Vec<_> = (0..8)
        .map(|_| {
            let counters = counters.clone();
            tokio::spawn(async move {
                while Instant::now() < end {
                    counters
                        .read(&[Counter::VideoFavorites(video_id)])
                        .await
                        .unwrap();
                }
            })
        })
        .collect();
    let mut tick = tokio::time::interval(Duration::from_millis(1));
    let mut likes = tokio::task::JoinSet::new();
    let mut user_id = 2 * FAMOUS_LIKES;
    while Instant::now() < end {
        tick.tick().await;
        user_id += 1;
        let op = FavoriteOp {
            user_id,
            video_id,
            author_id: 1,
            liked: true,
        };
        let way = grouped.clone();
        likes.spawn(async move { way.write(0, op).await });
    }
    let sent = likes.len();
    likes.join_all().await;
    for reader in readers {
        reader.await.unwrap();
    }
    let now = counters.stats();
    let (hits, others) = (
        now.hits - before.hits,
        now.loads + now.exact_reads - before.loads - before.exact_reads,
    );
    println!(
        "\n{sent} likes of one video in {:?}, its count read {} times meanwhile: {:.2} % answered by Redis",
        3 * ROUND,
        hits + others,
        100.0 * hits as f64 / (hits + others) as f64
    );
}

#[tokio::main]
async fn main() {
    let database = testkit::Database::create().await;
    let mysql = database.settings(MAX_CONNECTIONS);
    dal::migrate(&mysql).await.unwrap();
    database.execute("CREATE TABLE bare LIKE favorites").await;
    let db = Db::connect(&mysql).unwrap();
    let redis = testkit::environment::redis_settings(format!("bench-{}:", std::process::id()));
    let counters = Counters::connect(&redis, db.clone()).unwrap();
    let settings = settings::Counters {
        fold_period_ms: 10_000,
        scan_period_s: 3600,
        fold_workers: 4,
    };
    let folder = Folder::start(db.clone(), counters.clone(), &settings);
    println!("{FAMOUS_LIKES} likes of one video are made");
    make_famous(&database).await;

    let mut options = sea_orm::ConnectOptions::new(database.primary_url());
    options
        .max_connections(MAX_CONNECTIONS)
        .test_before_acquire(false)
        .sqlx_logging(false);
    let raw = sea_orm::Database::connect(options).await.unwrap();
    let likes = || Favorites::start(db.clone(), counters.clone());
    let comments = || Comments::start(db.clone(), counters.clone());
    let (grouped, each) = (Way::Likes(vec![likes()]), 0..CLIENTS);
    let alone = Way::Likes(each.clone().map(|_| likes()).collect());
    let scenarios = [
        Scenario {
            name: "bare: INSERT of a raw client, 10,000 videos",
            way: Way::Bare(raw),
            target: |_| Target::Spread,
        },
        Scenario {
            name: "alone: a commit for each like, 10,000 videos",
            way: alone,
            target: |_| Target::Spread,
        },
        Scenario {
            name: "spread: grouped, 10,000 videos",
            way: grouped.clone(),
            target: |_| Target::Spread,
        },
        Scenario {
            name: "hot: grouped, one video",
            way: grouped.clone(),
            target: |round| Target::One(30_000 + i64::try_from(round).unwrap()),
        },
        Scenario {
            name: "famous: grouped, one video with 1,000,000 likes",
            way: grouped.clone(),
            target: |_| Target::One(FAMOUS),
        },
        Scenario {
            name: "comments alone: a commit for each, 10,000 videos",
            way: Way::Comments(each.map(|_| comments()).collect()),
            target: |_| Target::Spread,
        },
        Scenario {
            name: "comments grouped, 10,000 videos",
            way: Way::Comments(vec![comments()]),
            target: |_| Target::Spread,
        },
    ];
    let mut all: Vec<Measured> = scenarios.iter().map(|_| Measured::default()).collect();
    for round in 0..ROUNDS {
        for (n, scenario) in scenarios.iter().enumerate() {
            fold::fold_once(&db, &counters).await.unwrap();
            let seed = round * 10 + n as u64;
            measure(&scenario.way, (scenario.target)(round), seed, &mut all[n]).await;
        }
    }
    read_while_liked(&grouped, &counters, 50_000).await;
    folder.stop().await;
    println!(
        "| {CLIENTS} clients, {ROUNDS} rounds of {ROUND:?} each | writes/s | p50 ms | p99 ms | ratio |"
    );
    println!("|---|---|---|---|---|");
    let [bare, alone, spread, comments_alone] = [0, 1, 2, 5];
    for n in 0..scenarios.len() {
        let (rate, p50, p99) = all[n].results();
        let ratio = |to: usize, name: &str| format!("{:.2} × {name}", rate / all[to].results().0);
        let ratios = match n {
            2 => [ratio(alone, "alone"), ratio(bare, "bare")].join(", "),
            3 | 4 => ratio(spread, "spread"),
            6 => ratio(comments_alone, "comments alone"),
            _ => String::new(),
        };
        println!(
            "| {} | {rate:.0} | {p50:.1} | {p99:.1} | {ratios} |",
            scenarios[n].name
        );
    }
    let wrong = reconcile::differences(&db).await.unwrap();
    println!("\ncounts that differ from their rows: {}", wrong.len());
}
