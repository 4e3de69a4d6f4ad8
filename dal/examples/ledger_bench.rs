//! Benchmark: what a dump that runs for long costs. It keeps a REPEATABLE READ view open, so that rows of the ledger that were folded stay behind,
//! deleted. 2,000,000 are appended and folded meanwhile. Prints the time of a fold for 1,000 rows and of a like, and of an exact count, at the end as ratios
//! to those at the start.
//!
//! Wants the servers of the tests; works in a database of its own and drops it. Takes minutes. `LEDGER_ROWS=200000` makes it a tenth.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    missing_docs
)]

use std::time::{Duration, Instant};

use dal::{
    Db,
    counters::Counters,
    counts::{self, Counter},
    favorites::{FavoriteOp, Favorites},
    fold,
};
use sea_orm::{ConnectionTrait, DbBackend, IsolationLevel, Statement, TransactionTrait};

const ROWS: u64 = 2_000_000;
/// Appended and folded at once.
const CHUNK: u64 = 10_000;
const VIDEOS: u64 = 10_000;
/// For each of the two medians.
const LIKES: usize = 500;

struct Bench {
    database: testkit::Database,
    db: Db,
    likes: Favorites,
    next_user: i64,
}

/// Medians at one moment.
struct Cost {
    like: Duration,
    count: Duration,
}

impl Bench {
    /// As that many likes of as many users would.
    async fn append(&self) {
        let digit = "(SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 \
             UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)";
        self.database
            .execute(&format!(
                "INSERT INTO ledger (kind, target_id, delta, generation) \
                 SELECT 1, 1 + MOD(a.d + 10 * b.d + 100 * c.d + 1000 * e.d, {VIDEOS}), 1, \
                     (SELECT generation FROM folder WHERE id = 1) \
                 FROM {digit} AS a, {digit} AS b, {digit} AS c, {digit} AS e"
            ))
            .await;
    }

    /// For 1,000 rows.
    async fn fold(&self) -> Duration {
        let begun = Instant::now();
        let rows = fold::fold_ledger(&self.db, 1).await.unwrap().unwrap();
        begun.elapsed() * 1000 / u32::try_from(rows.max(1)).unwrap()
    }

    async fn cost(&mut self) -> Cost {
        let (mut likes, mut counts) = (Vec::new(), Vec::new());
        for _ in 0..LIKES {
            self.next_user += 1;
            let video_id = self.next_user % i64::try_from(VIDEOS).unwrap() + 1;
            let op = FavoriteOp {
                user_id: self.next_user,
                video_id,
                author_id: 1,
                liked: true,
            };
            let begun = Instant::now();
            self.likes.set(op).await.unwrap();
            likes.push(begun.elapsed());
            let begun = Instant::now();
            let counter = [Counter::VideoFavorites(video_id)];
            counts::exact(&self.db, &counter).await.unwrap();
            counts.push(begun.elapsed());
        }
        Cost {
            like: median(likes),
            count: median(counts),
        }
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

async fn bench() -> Bench {
    let database = testkit::Database::create().await;
    let mysql = database.settings(16);
    dal::migrate(&mysql).await.unwrap();
    let db = Db::connect(&mysql).unwrap();
    let redis = testkit::environment::redis_settings(format!("bench-{}:", std::process::id()));
    let counters = Counters::connect(&redis, db.clone()).unwrap();
    Bench {
        likes: Favorites::start(db.clone(), counters),
        database,
        db,
        next_user: 1_000_000,
    }
}

#[tokio::main]
async fn main() {
    let rows =
        std::env::var("LEDGER_ROWS").map_or(ROWS, |rows| rows.parse().expect("a number of rows"));
    let chunks = rows.div_ceil(CHUNK).max(20);
    let mut bench = bench().await;
    // What a first use costs isn't measured.
    bench.append().await;
    bench.fold().await;
    bench.cost().await;
    let session = sea_orm::Database::connect(bench.database.primary_url())
        .await
        .unwrap();
    // The servers' own level is another.
    let isolation = Some(IsolationLevel::RepeatableRead);
    let view = session.begin_with_config(isolation, None).await.unwrap();
    view.query_all_raw(Statement::from_string(
        DbBackend::MySql,
        "SELECT * FROM folder",
    ))
    .await
    .unwrap();
    let first = bench.cost().await;
    let mut folds = Vec::new();
    let begun = Instant::now();
    for chunk in 1..=chunks {
        bench.append().await;
        folds.push(bench.fold().await);
        if chunk.is_multiple_of(20) {
            let last = median(folds[folds.len() - 20..].to_vec());
            println!(
                "  {:>9} rows   {:>4} s   {last:.1?} for 1,000 rows",
                chunk * CHUNK,
                begun.elapsed().as_secs()
            );
        }
    }
    let last = bench.cost().await;
    view.rollback().await.unwrap();
    let tenth = folds.len() / 10;
    let ends = [
        (
            "a fold, for 1,000 rows",
            median(folds[..tenth].to_vec()),
            median(folds[folds.len() - tenth..].to_vec()),
        ),
        ("a like (p50)", first.like, last.like),
        ("an exact count (p50)", first.count, last.count),
    ];
    println!(
        "\n| {} rows folded under a REPEATABLE READ view | at the start | at the end | ratio |\n|---|---|---|---|",
        chunks * CHUNK
    );
    for (what, first, last) in ends {
        let ratio = last.as_secs_f64() / first.as_secs_f64();
        println!("| {what} | {first:.1?} | {last:.1?} | {ratio:.2} × |");
    }
}
