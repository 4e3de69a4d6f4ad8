//! Marks on a Redis that the test flushes, kills, sets back to older data and freezes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod leases;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use marks::{
    Commit, Consistency, Marks, StrictReason, Subject,
    Subject::{User, Video},
    leases::{EpochBase, Registry, Settled, WriterStatus},
};
use settings::{ReadsAfterWrites, Secret};
use testkit::{Redis, RedisCluster, Refusal, TcpProxy, eventually};

const PATIENCE: Duration = Duration::from_secs(15);
const DATABASE: u8 = 3;

/// A primary that commits whenever it is asked, and knows its writers.
#[derive(Clone, Default)]
struct Primary {
    commits: Arc<AtomicU64>,
    writers: Arc<Mutex<BTreeMap<String, WriterStatus>>>,
    id: String,
}

impl Primary {
    fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            ..Self::default()
        }
    }

    /// The same, as another process knows it.
    fn of_process(&self, id: &str) -> Self {
        Self {
            id: id.to_owned(),
            ..self.clone()
        }
    }

    fn commit(&self) -> Commit {
        commit(self.commits.fetch_add(1, Ordering::SeqCst) + 1)
    }

    /// From now on this writer is that.
    fn is(&self, id: &str, status: WriterStatus) {
        self.writers.lock().unwrap().insert(id.to_owned(), status);
    }

    fn knows(&self, id: &str) -> bool {
        self.writers.lock().unwrap().contains_key(id)
    }
}

impl Registry for Primary {
    async fn id(&self, _: &'static str) -> Option<String> {
        let mut writers = self.writers.lock().unwrap();
        writers
            .entry(self.id.clone())
            .or_insert(WriterStatus::Alive);
        Some(self.id.clone())
    }

    async fn statuses(
        &self,
        _: &'static str,
        ids: &[String],
    ) -> Option<Vec<(String, WriterStatus)>> {
        let writers = self.writers.lock().unwrap();
        let status = |id: &String| *writers.get(id).unwrap_or(&WriterStatus::GoneDirty);
        Some(ids.iter().map(|id| (id.clone(), status(id))).collect())
    }

    async fn epoch_base(&self, _: &'static str) -> Option<EpochBase> {
        let alive = |(id, status): (&String, &WriterStatus)| {
            (*status == WriterStatus::Alive).then(|| id.clone())
        };
        let writers = self
            .writers
            .lock()
            .unwrap()
            .iter()
            .filter_map(alive)
            .collect();
        let Commit { seq, gtid } = self.commit();
        Some(EpochBase {
            writers,
            commit: format!("{seq} {gtid}"),
        })
    }

    async fn removed(&self, _: &'static str, ids: &[String]) {
        self.writers
            .lock()
            .unwrap()
            .retain(|id, _| !ids.contains(id));
    }
}

fn commit(seq: u64) -> Commit {
    Commit {
        seq,
        gtid: format!("0-1-{seq}"),
    }
}

fn up_to(seq: u64, marked: bool) -> Consistency {
    Consistency::UpTo {
        commit: commit(seq),
        marked,
    }
}

fn marks(redis: &Redis, mode: ReadsAfterWrites) -> Marks {
    marks_at(redis.url(), mode)
}

fn marks_at(url: String, mode: ReadsAfterWrites) -> Marks {
    let redis = settings::Redis {
        url: Secret::new(url),
        favorites_db: 1,
        comments_db: 2,
        marks_db: DATABASE,
        limits_db: 4,
        key_prefix: "t:".to_owned(),
        counter_ttl_s: 60,
        command_timeout_ms: 1000,
        ca_file: None,
    };
    let mysql = settings::Mysql {
        primary_url: Secret::new(""),
        replica_urls: Vec::new(),
        migrate_url: Secret::new(""),
        max_connections: 1,
        max_fallback_connections: 1,
        acquire_timeout_ms: 1000,
        reads_after_writes: mode,
        // A mark outlives every test, except where an epoch waits for its TTL.
        max_lag_s: match mode {
            ReadsAfterWrites::Gtid => 60,
            ReadsAfterWrites::Mark => 1,
        },
        replica_wait_ms: 50,
    };
    Marks::connect(&redis, &mysql).unwrap()
}

/// Marks that are kept, and the primary whose commits they name.
async fn kept() -> (Redis, Marks, Primary) {
    let redis = Redis::start().await;
    let marks = marks(&redis, ReadsAfterWrites::Gtid);
    let primary = Primary::new("a");
    tokio::spawn(marks.clone().keep(primary.clone()));
    known(&marks).await;
    (redis, marks, primary)
}

/// Waits until the marks of every bucket can be read.
async fn known(marks: &Marks) {
    let all: Vec<_> = (0..64).map(User).collect();
    eventually(PATIENCE, "marks that can be read", async || {
        (marks.read(&all).await != Consistency::All(StrictReason::Unknown)).then_some(())
    })
    .await;
}

/// All commits up to this one must be seen by who reads these.
async fn floor(marks: &Marks) -> u64 {
    match marks.read(&[User(1)]).await {
        Consistency::UpTo { commit, .. } => commit.seq,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn who_wrote_and_what_they_wrote_to_are_marked_and_nobody_else() {
    let (_redis, marks, primary) = kept().await;
    let floor = floor(&marks).await;
    let written = primary.commit();
    marks.set(&[User(7), Video(9)], &written).await;
    for subjects in [vec![User(7)], vec![Video(9)], vec![User(1), Video(9)]] {
        let consistency = marks.read(&subjects).await;
        assert_eq!(consistency, up_to(written.seq, true), "{subjects:?}");
    }
    for subject in [User(9), Video(7), User(15)] {
        assert_eq!(marks.read(&[subject]).await, up_to(floor, false));
    }
    // Who asks for nothing that is marked must see what is older than all marks.
    assert_eq!(marks.read(&[]).await, up_to(floor, false));
}

#[tokio::test]
async fn of_many_subjects_each_has_its_own_mark_and_a_bucket_costs_one_script() {
    let (redis, marks, primary) = kept().await;
    let floor = floor(&marks).await;
    // Both are in one bucket.
    let (one, other) = (primary.commit(), primary.commit());
    marks.set(&[User(7)], &one).await;
    marks.set(&[User(15)], &other).await;
    let asked: Vec<Subject> = (0..64).rev().map(User).collect();
    let before = scripts_run(&redis);
    let consistency = marks.read_each(&asked).await;
    let run = scripts_run(&redis) - before;
    for (subject, consistency) in asked.iter().zip(&consistency) {
        let expected = match subject {
            User(7) => up_to(one.seq, true),
            User(15) => up_to(other.seq, true),
            _ => up_to(floor, false),
        };
        assert_eq!(*consistency, expected, "{subject:?}");
    }
    assert_eq!(consistency.len(), asked.len());
    // 8 buckets; the keeper may renew its leases meanwhile.
    assert!((8..32).contains(&run), "{run} scripts");
}

/// By this Redis, so far.
fn scripts_run(redis: &Redis) -> u64 {
    let stats = redis.command(DATABASE, &["INFO", "commandstats"]);
    let calls = stats
        .lines()
        .find_map(|line| line.trim().strip_prefix("cmdstat_evalsha:calls="));
    calls.unwrap().split(',').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_mark_only_moves_forward() {
    let (_redis, marks, _) = kept().await;
    for seq in [500, 400, 501, 1] {
        marks.set(&[User(7)], &commit(seq)).await;
    }
    assert_eq!(marks.read(&[User(7)]).await, up_to(501, true));
}

#[tokio::test]
async fn a_mark_ends_and_its_epoch_stays() {
    let (redis, marks, _) = kept().await;
    marks.set(&[User(7)], &commit(500)).await;
    let ttl: u64 = redis
        .command(DATABASE, &["PTTL", "t:{m7}:u7"])
        .parse()
        .unwrap();
    let max = u64::try_from(marks.ttl().as_millis()).unwrap();
    assert!((1..=max).contains(&ttl), "{ttl}");
    assert_eq!(redis.command(DATABASE, &["PTTL", "t:{m7}:epoch"]), "-1");
}

#[tokio::test]
async fn after_a_flush_everyone_must_see_everything_until_an_epoch_covers_it() {
    let (redis, marks, primary) = kept().await;
    let lost = primary.commit();
    marks.set(&[User(7)], &lost).await;
    redis.command(DATABASE, &["FLUSHALL"]);
    assert_eq!(
        marks.read(&[User(7)]).await,
        Consistency::All(StrictReason::Unknown)
    );
    known(&marks).await;
    assert!(floor(&marks).await > lost.seq);
}

#[tokio::test]
async fn an_epoch_of_another_run_of_the_server_counts_as_missing() {
    let (redis, marks, primary) = kept().await;
    let before = primary.commit();
    marks.set(&[User(7)], &before).await;
    redis.kill();
    assert_eq!(
        marks.read(&[User(7)]).await,
        Consistency::All(StrictReason::Unknown)
    );
    // Its keys come back: what was marked after they were saved doesn't.
    redis.restart().await;
    known(&marks).await;
    let Consistency::UpTo { commit, .. } = marks.read(&[User(7)]).await else {
        panic!("no commit");
    };
    assert!(commit.seq > before.seq, "{commit:?}");
}

#[tokio::test]
async fn a_commit_that_could_not_be_marked_is_covered_by_the_next_epoch() {
    let (redis, marks, primary) = kept().await;
    redis.freeze();
    let unmarked = primary.commit();
    marks.set(&[User(7)], &unmarked).await;
    assert_eq!(
        marks.read(&[User(7)]).await,
        Consistency::All(StrictReason::Unknown)
    );
    redis.thaw();
    known(&marks).await;
    let Consistency::UpTo { commit, .. } = marks.read(&[User(7)]).await else {
        panic!("no commit");
    };
    assert!(commit.seq >= unmarked.seq, "{commit:?}");
}

/// Loses all marks while it tells its newest commit: once more, as often as it is told to.
struct Loses {
    redis: Arc<Redis>,
    primary: Primary,
    times: AtomicU64,
}

impl Registry for Loses {
    async fn id(&self, name: &'static str) -> Option<String> {
        self.primary.id(name).await
    }

    async fn statuses(
        &self,
        name: &'static str,
        ids: &[String],
    ) -> Option<Vec<(String, WriterStatus)>> {
        self.primary.statuses(name, ids).await
    }

    async fn epoch_base(&self, name: &'static str) -> Option<EpochBase> {
        let roll = self.primary.epoch_base(name).await;
        if self.times.fetch_sub(1, Ordering::SeqCst) > 1 {
            // Somebody wrote after the commit that is told, and their mark is lost.
            self.primary.commit();
            self.redis.command(DATABASE, &["FLUSHALL"]);
        }
        roll
    }

    async fn removed(&self, name: &'static str, ids: &[String]) {
        self.primary.removed(name, ids).await;
    }
}

#[tokio::test]
async fn an_epoch_is_not_made_of_a_commit_from_before_the_last_loss() {
    let redis = Arc::new(Redis::start().await);
    let marks = marks(&redis, ReadsAfterWrites::Gtid);
    let loses = Loses {
        redis,
        primary: Primary::new("a"),
        times: AtomicU64::new(3),
    };
    tokio::spawn(marks.clone().keep(loses));
    known(&marks).await;
    // Two losses, each with a commit told before it and one made before it: the epoch names the fifth.
    assert_eq!(floor(&marks).await, 5);
}

#[tokio::test]
async fn without_comparable_commits_a_mark_means_everything_and_an_epoch_waits_its_ttl() {
    let redis = Redis::start().await;
    let marks = marks(&redis, ReadsAfterWrites::Mark);
    tokio::spawn(marks.clone().keep(Primary::new("a")));
    let started = std::time::Instant::now();
    known(&marks).await;
    assert!(started.elapsed() >= marks.ttl(), "{:?}", started.elapsed());
    assert_eq!(marks.read(&[User(7)]).await, Consistency::Any);
    marks.set(&[User(7)], &commit(500)).await;
    assert_eq!(
        marks.read(&[User(7)]).await,
        Consistency::All(StrictReason::Marked)
    );
    assert_eq!(marks.read(&[User(8)]).await, Consistency::Any);
}

#[tokio::test]
async fn on_a_redis_cluster_a_node_that_is_away_or_comes_back_empty_hides_no_commit() {
    let cluster = RedisCluster::start().await;
    let marks = marks_at(cluster.url(), ReadsAfterWrites::Gtid);
    let primary = Primary::new("a");
    tokio::spawn(marks.clone().keep(primary.clone()));
    known(&marks).await;
    // Their marks lie on every node.
    let users: Vec<_> = (0..16).map(User).collect();
    for node in 0..cluster.size() {
        let mut written = Vec::new();
        for user in &users {
            let commit = primary.commit();
            assert!(marks.set(&[*user], &commit).await, "{user:?}");
            written.push((*user, commit));
        }
        cluster.kill(node);
        hides_none(&marks, &written).await;
        cluster.restart_empty(node).await;
        hides_none(&marks, &written).await;
        known(&marks).await;
        hides_none(&marks, &written).await;
    }
}

async fn hides_none(marks: &Marks, written: &[(Subject, Commit)]) {
    for (user, commit) in written {
        match marks.read(&[*user]).await {
            Consistency::All(StrictReason::Unknown) => {}
            Consistency::UpTo { commit: seen, .. } if seen.seq >= commit.seq => {}
            other => panic!("{other:?} misses {commit:?} of {user:?}"),
        }
    }
}
