//! Benchmark: the cost of reading recent writes, as ratios within one run: a write with and without semi-synchronous replication; and a read
//! that nothing marked, one that is marked and finds its commit on the replica, and one on the primary.
//!
//! Wants the servers of the tests; works in a database of its own and drops it. The rounds are short and take turns, so that what
//! else the machine does meets all of them alike. One client, so that latencies are latencies. About 30 s.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    missing_docs
)]

use std::{
    process::Command,
    time::{Duration, Instant},
};

use dal::{
    Db, Marks, Reader,
    comments::{self, Comments, NewComment},
    counters::Counters,
};
use marks::{Consistency, StrictReason, Subject};
use settings::{Mysql, Secret};

const ROUNDS: usize = 8;
/// Writes in a round; each is followed by reads of each kind.
const WRITES: usize = 60;
/// Comments under each video: a page.
const PAGE: u64 = 30;
/// Read by everybody, written to by nobody.
const QUIET: i64 = 1;
/// Written to all the time.
const BUSY: i64 = 2;

struct Bench {
    db: Db,
    comments: Comments,
    marks: Marks,
}

/// Times of one kind.
#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    fn ms(&self, percent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        sorted[sorted.len() * percent / 100].as_secs_f64() * 1000.0
    }
}

impl Bench {
    async fn write(&self, times: &mut Times) {
        let comment = NewComment {
            video_id: BUSY,
            user_id: 1,
            content: "好".to_owned(),
            key: None,
        };
        let started = Instant::now();
        self.comments.add(comment).await.unwrap();
        times.0.push(started.elapsed());
    }

    /// As the API and a service do it together: the marks of what is shown, then the page. What the marks said.
    async fn read(&self, video_id: i64, times: &mut Times) -> Consistency {
        let started = Instant::now();
        let consistency = self.marks.read(&[Subject::Video(video_id)]).await;
        self.page(video_id, consistency.clone()).await;
        times.0.push(started.elapsed());
        consistency
    }

    /// The same on the primary, as if marks knew no commit.
    async fn read_primary(&self, video_id: i64, times: &mut Times) {
        let started = Instant::now();
        self.marks.read(&[Subject::Video(video_id)]).await;
        self.page(video_id, Consistency::All(StrictReason::Marked))
            .await;
        times.0.push(started.elapsed());
    }

    async fn page(&self, video_id: i64, consistency: Consistency) {
        let reader = Reader {
            affinity: None,
            consistency,
        };
        let page = comments::list(&self.db, video_id, None, PAGE, &reader).await;
        assert!(!page.unwrap().entries.is_empty());
    }
}

/// Whether commits wait for a replica that has them in its log. As the admin of the test servers, who alone may say so.
fn semi_sync(on: bool) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/test-infra.sh");
    let word = if on { "on" } else { "off" };
    let said = Command::new(script).args(["semi-sync", word]).status();
    assert!(said.unwrap().success(), "{script} semi-sync {word}");
}

/// How often a replica answered a read because it had caught up with a mark, and how often the primary had to.
fn routed() -> (f64, f64) {
    let text = telemetry::metrics::render();
    let count = |reason: &str| {
        let lines = text.lines().filter(|line| {
            line.starts_with("sql_statements_total")
                && line.contains(&format!("reason=\"{reason}\""))
        });
        lines
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    };
    (count("caught_up"), count("marked"))
}

async fn bench(database: &testkit::Database) -> Bench {
    let mysql = Mysql {
        replica_urls: vec![Secret::new(database.replica_url())],
        ..database.settings(8)
    };
    let redis = testkit::environment::redis_settings(format!("bench-{}:", std::process::id()));
    dal::migrate(&mysql).await.unwrap();
    let marks = Marks::connect(&redis, &mysql).unwrap();
    let db = Db::connect(&mysql).unwrap().with_marks(marks.clone());
    let counters = Counters::connect(&redis, db.clone()).unwrap();
    let rows: Vec<String> = (0..PAGE)
        .flat_map(|n| [QUIET, BUSY].map(|video| format!("({video}, 1, 'c', {n})")))
        .collect();
    let columns = "(video_id, user_id, content, created_ms)";
    let insert = format!("INSERT INTO comments {columns} VALUES {}", rows.join(","));
    database.execute(&insert).await;
    database.replicas_caught_up().await;
    testkit::eventually(
        Duration::from_secs(20),
        "marks that can be read",
        async || {
            let consistency = marks.read(&[Subject::Video(QUIET)]).await;
            matches!(consistency, Consistency::UpTo { .. }).then_some(())
        },
    )
    .await;
    Bench {
        comments: Comments::start(db.clone(), counters),
        db,
        marks,
    }
}

#[tokio::main]
async fn main() {
    telemetry::metrics::install("bench").unwrap();
    let database = testkit::Database::create().await;
    let bench = bench(&database).await;
    let [
        mut with,
        mut without,
        mut unmarked,
        mut marked,
        mut later,
        mut primary,
    ] = std::array::from_fn(|_| Times::default());
    for round in 0..ROUNDS {
        let on = round % 2 == 0;
        semi_sync(on);
        let writes = if on { &mut with } else { &mut without };
        for _ in 0..WRITES {
            bench.write(writes).await;
            let consistency = bench.read(BUSY, &mut marked).await;
            assert!(
                matches!(consistency, Consistency::UpTo { marked: true, .. }),
                "{consistency:?}"
            );
            bench.read(BUSY, &mut later).await;
            bench.read(QUIET, &mut unmarked).await;
            bench.read_primary(BUSY, &mut primary).await;
        }
    }
    semi_sync(true);
    let (replica, fell_back) = routed();
    println!(
        "| one client, {ROUNDS} rounds of {WRITES} writes, each read at once | p50 ms | p99 ms | ratio |"
    );
    println!("|---|---|---|---|");
    for (name, times, base, of) in [
        (
            "a comment is written, semi-synchronous replication off",
            &without,
            None,
            "",
        ),
        (
            "a comment is written, semi-synchronous replication on",
            &with,
            Some(&without),
            "off",
        ),
        (
            "a page is read that nothing marked: on the replica",
            &unmarked,
            None,
            "",
        ),
        (
            "a page is read that was written this moment, by GTID",
            &marked,
            Some(&unmarked),
            "unmarked",
        ),
        ("the same once more", &later, Some(&unmarked), "unmarked"),
        (
            "the same on the primary",
            &primary,
            Some(&unmarked),
            "unmarked",
        ),
    ] {
        let ratio = base.map(|base| format!("{:.2} × {of}", times.ms(50) / base.ms(50)));
        let ratio = ratio.unwrap_or_default();
        println!(
            "| {name} | {:.2} | {:.2} | {ratio} |",
            times.ms(50),
            times.ms(99)
        );
    }
    // Those on the primary by our own wish are no fallback.
    let asked = (ROUNDS * WRITES) as f64;
    println!(
        "\nof the reads that were marked, the replica answered {:.1} %",
        100.0 * replica / (replica + fell_back - asked)
    );
}
