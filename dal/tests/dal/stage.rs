//! Counters on a database and a Redis of the test's own, with access to both.

use std::time::Duration;

use dal::{
    Db,
    counters::{Counters, Pass},
    counts::Counter::{self, UserFavorites, VideoComments, VideoFavorites},
    position::Position,
};
use testkit::{Database, Engine, Redis, eventually};

use crate::fixture;

/// For what a busy machine may delay.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// Logical databases.
pub const FAVORITES: u8 = 1;
pub const COMMENTS: u8 = 2;
/// A counter that every test may use.
pub const HOT: Counter = VideoFavorites(1);
/// The key of that counter.
pub const KEY: &str = "t:{v1}:favorites";

/// Where the epoch is by which counts are trusted, in each of the two.
pub const EPOCH: &str = "t:counts:epoch";

/// A database with counts, a Redis, and counters on both.
pub struct Stage {
    pub redis: Redis,
    pub database: Database,
    pub db: Db,
    pub counters: Counters,
    pub settings: settings::Redis,
}

impl Stage {
    /// A command may take this long in milliseconds: much where the test isn't about it.
    pub async fn set(command_timeout_ms: u64) -> Self {
        let ((database, db), redis) = tokio::join!(fixture::migrated(), Redis::start());
        let settings = settings::Redis {
            url: settings::Secret::new(redis.url()),
            favorites_db: FAVORITES,
            comments_db: COMMENTS,
            marks_db: 3,
            limits_db: 4,
            key_prefix: "t:".to_owned(),
            counter_ttl_s: 600,
            command_timeout_ms,
            ca_file: None,
        };
        let counters = connected(&settings, &db).await;
        Self {
            redis,
            database,
            db,
            counters,
            settings,
        }
    }

    /// Counts in the ledger, as a writer does, without telling Redis; returns the position of the commit.
    pub async fn count(&self, counter: Counter, delta: i64) -> Position {
        let (kind, id) = match counter {
            VideoFavorites(id) => (1, id),
            VideoComments(id) => (2, id),
            UserFavorites(id) => (4, id),
            _ => panic!("not counted here: {counter:?}"),
        };
        self.database
            .execute(&format!(
                "INSERT INTO ledger (kind, target_id, delta) VALUES ({kind}, {id}, {delta})"
            ))
            .await;
        self.position().await
    }

    /// A position whose commit can be seen: what this test committed is acknowledged.
    pub async fn position(&self) -> Position {
        let seq = Engine::of_tests().seq(&self.database.position().await);
        Position { seq }
    }

    pub async fn read(&self, counter: Counter) -> i64 {
        self.counters.read(&[counter]).await.unwrap()[&counter]
    }

    /// A complete pass, as of now.
    pub async fn pass(&self) -> Pass {
        let position = self.position().await;
        self.counters.scan_pass(position).await.unwrap()
    }

    /// The position of the epoch's commit in the database of likes; loaded counts have it.
    pub fn epoch(&self) -> Option<u64> {
        let text = self.favorites(&["GET", EPOCH]);
        text.split(' ').nth(2)?.parse().ok()
    }

    pub fn favorites(&self, command: &[&str]) -> String {
        self.redis.command(FAVORITES, command)
    }

    pub fn comments(&self, command: &[&str]) -> String {
        self.redis.command(COMMENTS, command)
    }
}

/// Of the server, as it names itself.
pub fn run_id(redis: &Redis) -> String {
    let info = redis.command(FAVORITES, &["INFO", "server"]);
    let id = info.lines().find_map(|line| line.strip_prefix("run_id:"));
    id.unwrap().trim().to_owned()
}

pub async fn connected(settings: &settings::Redis, db: &Db) -> Counters {
    let counters = Counters::connect(settings, db.clone()).unwrap();
    answers(&counters).await;
    counters
}

/// Waits until both databases are in use.
pub async fn answers(counters: &Counters) {
    eventually(PATIENCE, "counters that use Redis", async || {
        let both = [HOT, VideoComments(1)];
        let before = counters.stats().exact_reads;
        counters.read(&both).await.ok()?;
        (counters.stats().exact_reads == before).then_some(())
    })
    .await;
    counters.invalidate(&[HOT, VideoComments(1)]).await;
}
