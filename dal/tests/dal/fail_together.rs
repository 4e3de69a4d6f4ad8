//! Fail together: while a process can't tell Redis what it wrote, no process trusts Redis. Also servers without GTIDs, where none ever does.

use std::time::Duration;

use dal::{
    DalError, Db, Marks,
    comments::{Comments, NewComment},
    counters::Counters,
    counts::Counter::{self, VideoComments, VideoFavorites},
    favorites::Favorites,
    fold::{Folded, fold_once},
};
use marks::{
    Consistency, StrictReason,
    Subject::{self, User, Video},
};
use testkit::{Engine, PlainDatabase, Refusal, TcpProxy, eventually};
use tokio::runtime::Runtime;

use crate::{
    fixture::{self, like},
    stage::{EPOCH, HOT, KEY, PATIENCE, Stage, run_id},
};

/// What a process has of the databases.
struct Process {
    db: Db,
    counters: Counters,
    marks: Marks,
    favorites: Favorites,
    comments: Comments,
}

impl Process {
    /// Another one on the same servers, which reaches Redis at this URL.
    async fn start(stage: &Stage, redis: String) -> Self {
        let mut settings = stage.settings.clone();
        settings.url = settings::Secret::new(redis);
        let mysql = fixture::mysql(
            stage.database.primary_url(),
            &[stage.database.replica_url()],
        );
        let process = Self::on(&settings, &mysql);
        process.db.join(&process.counters).await;
        eventually(PATIENCE, "trust", async || process.trusts().await).await;
        process
    }

    fn on(redis: &settings::Redis, mysql: &settings::Mysql) -> Self {
        let marks = Marks::connect(redis, mysql).unwrap();
        let db = Db::connect(mysql).unwrap().with_marks(marks.clone());
        let counters = Counters::connect(redis, db.clone()).unwrap();
        let favorites = Favorites::start(db.clone(), counters.clone());
        let comments = Comments::start(db.clone(), counters.clone());
        Self {
            db,
            counters,
            marks,
            favorites,
            comments,
        }
    }

    /// Whether both databases of counts and all marks are in use.
    async fn trusts(&self) -> Option<()> {
        let all: Vec<Subject> = (0..64).map(User).collect();
        let before = self.counters.stats().exact_reads;
        let counters = [VideoFavorites(99), VideoComments(99)];
        self.counters.read(&counters).await.ok()?;
        let is_known = self.marks.read(&all).await != Consistency::All(StrictReason::Unknown);
        (is_known && self.counters.stats().exact_reads == before).then_some(())
    }

    async fn count(&self, counter: Counter) -> i64 {
        self.counters.read(&[counter]).await.unwrap()[&counter]
    }

    async fn comment(&self, n: i64) {
        let new = NewComment {
            video_id: 1,
            user_id: n,
            content: "好".to_owned(),
            key: None,
        };
        self.comments.add(new).await.unwrap();
    }
}

/// The ids of the writers of which that holds.
async fn writers(stage: &Stage, condition: &str) -> Vec<String> {
    let sql = format!("SELECT DISTINCT id FROM writers WHERE {condition} ORDER BY id");
    stage.database.column(&sql).await
}

/// Another process, and its id.
async fn with_its_id(stage: &Stage, redis: String) -> (Process, String) {
    let before = writers(stage, "TRUE").await;
    let process = Process::start(stage, redis).await;
    let mut ids = writers(stage, "TRUE").await;
    ids.retain(|id| !before.contains(id));
    assert_eq!(ids.len(), 1, "one writer more");
    (process, ids.remove(0))
}

/// Takes the lock by name from a process, with its connection, and waits until it is known everywhere under a new id: this one.
async fn takes_a_new_id(stage: &Stage, id: &str) -> String {
    let before = writers(stage, "TRUE").await.join("', '");
    let lock = format!("CONCAT('writer {id} ', LEFT(SHA2(DATABASE(), 256), 32))");
    let held_by = format!("SELECT CAST(IS_USED_LOCK({lock}) AS SIGNED)");
    let connection: i64 = stage.database.value(&held_by).await;
    stage.database.execute(&format!("KILL {connection}")).await;
    let is_new = format!("id NOT IN ('{before}')");
    let rows = format!("SELECT COUNT(*) FROM writers WHERE {is_new}");
    eventually(PATIENCE * 2, "a new id everywhere", async || {
        (stage.database.value::<i64>(&rows).await == 3).then_some(())
    })
    .await;
    writers(stage, &is_new).await.remove(0)
}

/// Likes and comments of `writer`, each counted by `reader` at once and missed by nobody there.
async fn everything_is_seen(writer: &Process, reader: &Process, from: i64, to: i64) {
    for n in from..=to {
        assert!(writer.favorites.set(like(n, 1)).await.unwrap());
        assert_eq!(reader.count(HOT).await, n, "likes");
        writer.comment(n).await;
        assert_eq!(reader.count(VideoComments(1)).await, n, "comments");
    }
}

/// Whoever reads anything through `reader` must see everything.
async fn nothing_is_trusted(reader: &Process) {
    for subjects in [&[Video(1)][..], &[User(77)], &[]] {
        assert_eq!(
            reader.marks.read(subjects).await,
            Consistency::All(StrictReason::Unknown)
        );
    }
    let before = reader.counters.stats();
    reader.count(HOT).await;
    assert_eq!(reader.counters.stats().hits, before.hits);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_redis_refuses_to_write_is_counted_and_seen_by_others() {
    let stage = Stage::set(2000).await;
    let writer = Process::start(&stage, stage.redis.url()).await;
    let reader = Process::start(&stage, stage.redis.url()).await;
    let mut n = 0;
    for why in [Refusal::ReadOnly, Refusal::NoReplicas, Refusal::Unsaved] {
        everything_is_seen(&writer, &reader, n + 1, n + 3).await;
        stage.redis.refuse_writes(why).await;
        everything_is_seen(&writer, &reader, n + 4, n + 8).await;
        nothing_is_trusted(&reader).await;
        n += 8;
        stage.redis.accept_writes();
        for process in [&writer, &reader] {
            eventually(PATIENCE, "trust", async || process.trusts().await).await;
        }
        // Nobody compared anything: the writer itself has deleted what was wrong.
        assert_eq!(reader.count(HOT).await, n, "{why:?}");
        assert_eq!(reader.count(VideoComments(1)).await, n, "{why:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_process_alone_can_not_tell_redis_is_counted_and_seen_by_others() {
    let stage = Stage::set(200).await;
    let proxy = TcpProxy::to(&stage.redis.url().replace("redis://", "")).await;
    let writer = Process::start(&stage, format!("redis://{}", proxy.address())).await;
    let reader = Process::start(&stage, stage.redis.url()).await;
    let mut n = 0;
    for fault in [TcpProxy::shut, TcpProxy::stall] {
        everything_is_seen(&writer, &reader, n + 1, n + 3).await;
        fault(&proxy);
        everything_is_seen(&writer, &reader, n + 4, n + 8).await;
        nothing_is_trusted(&reader).await;
        n += 8;
        proxy.open();
        for process in [&writer, &reader] {
            eventually(PATIENCE, "trust", async || process.trusts().await).await;
        }
        assert_eq!(reader.count(HOT).await, n);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_dies_with_debts_leaves_no_wrong_count_and_no_missing_mark() {
    a_writer_dies_with_debts(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_dies_with_debts_leaves_nothing_wrong_though_the_leases_are_lost_then() {
    a_writer_dies_with_debts(true).await;
}

/// `loses_leases`: before anybody notices its death, the sets of leases are lost, and nothing else.
async fn a_writer_dies_with_debts(loses_leases: bool) {
    let stage = Stage::set(200).await;
    let reader = Process::start(&stage, stage.redis.url()).await;
    let proxy = TcpProxy::to(&stage.redis.url().replace("redis://", "")).await;
    let redis = format!("redis://{}", proxy.address());
    let run = || {
        let runtime = Runtime::new().unwrap();
        let last = runtime.block_on(async {
            let writer = Process::start(&stage, redis).await;
            for n in 1..=5 {
                if n == 4 {
                    proxy.shut();
                }
                assert!(writer.favorites.set(like(n, 1)).await.unwrap());
                writer.comment(n).await;
            }
            stage.position().await
        });
        // As when it is killed: all its connections are closed, and nothing is said.
        runtime.shutdown_timeout(Duration::from_secs(5));
        last
    };
    let last = tokio::task::block_in_place(|| {
        std::thread::scope(|scope| scope.spawn(run).join().unwrap())
    });
    if loses_leases {
        stage.favorites(&["DEL", "t:counts:leases"]);
        stage.comments(&["DEL", "t:counts:leases"]);
        for bucket in 0..8 {
            let leases = format!("t:{{m{bucket}}}:leases");
            stage
                .redis
                .command(stage.settings.marks_db, &["DEL", &leases]);
        }
    }
    assert_eq!(reader.count(HOT).await, 5);
    eventually(PATIENCE, "trust", async || reader.trusts().await).await;
    assert_eq!(reader.count(HOT).await, 5);
    assert_eq!(reader.count(VideoComments(1)).await, 5);
    let consistency = reader.marks.read(&[Video(1)]).await;
    assert!(
        matches!(&consistency, Consistency::UpTo { commit, .. } if commit.seq > last.seq),
        "{consistency:?} misses {last:?}"
    );
    let rows = "SELECT COUNT(*) FROM writers WHERE state <> 0";
    eventually(PATIENCE, "its rows removed", async || {
        (stage.database.value::<i64>(rows).await == 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_writer_that_was_declared_dead_while_it_is_cut_off_acknowledges_nothing_that_others_miss()
{
    let stage = Stage::set(200).await;
    let reader = Process::start(&stage, stage.redis.url()).await;
    let proxy = TcpProxy::to(&stage.redis.url().replace("redis://", "")).await;
    let (writer, id) = with_its_id(&stage, format!("redis://{}", proxy.address())).await;
    everything_is_seen(&writer, &reader, 1, 2).await;
    proxy.shut();
    // Without its lock by name the others remove it: nothing is missing in Redis yet.
    takes_a_new_id(&stage, &id).await;
    let its_rows = format!("id = '{id}'");
    eventually(PATIENCE, "the old id removed", async || {
        writers(&stage, &its_rows).await.is_empty().then_some(())
    })
    .await;
    eventually(PATIENCE, "trust", async || reader.trusts().await).await;
    let outcome = writer.favorites.set(like(3, 1)).await;
    let counted = reader.count(HOT).await;
    assert!(
        matches!(outcome, Err(DalError::Unavailable(_))),
        "{outcome:?}, {counted} of 3 counted"
    );
    proxy.open();
    for process in [&writer, &reader] {
        eventually(PATIENCE, "trust", async || process.trusts().await).await;
    }
    assert_eq!(reader.count(HOT).await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_a_process_that_has_lost_its_lock_on_the_primary_goes_on_to_write() {
    let stage = Stage::set(200).await;
    let (writer, id) = with_its_id(&stage, stage.redis.url()).await;
    stage.redis.kill();
    let likes = async |n| writer.favorites.set(like(n, 1)).await;
    assert!(likes(1).await.unwrap());
    let next = takes_a_new_id(&stage, &id).await;
    assert!(likes(2).await.unwrap());
    // Once more: under that id it never was in Redis.
    takes_a_new_id(&stage, &next).await;
    assert!(likes(3).await.unwrap());
    stage.redis.restart().await;
    eventually(PATIENCE, "trust", async || writer.trusts().await).await;
    assert_eq!(writer.count(HOT).await, 3);
}

/// A process leaves; says what others noticed of it.
async fn leaves_unnoticed() -> Result<(), &'static str> {
    let stage = Stage::set(2000).await;
    let reader = Process::start(&stage, stage.redis.url()).await;
    let leaving = Process::start(&stage, stage.redis.url()).await;
    everything_is_seen(&leaving, &reader, 1, 2).await;
    let rows = async || {
        let count = "SELECT COUNT(*) FROM writers";
        stage.database.value::<i64>(count).await
    };
    let before = rows().await;
    leaving.db.leave(&leaving.counters).await;
    if rows().await != before - 3 {
        return Err("its rows stay");
    }
    for _ in 0..60 {
        if reader.trusts().await.is_none() {
            return Err("the trust ended");
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_leaves_costs_nobody_anything() {
    // On a busy machine it may not leave within its second, or the reader's own lease is late. What leaving itself costs, it costs each time.
    let mut faults = Vec::new();
    while let Err(fault) = leaves_unnoticed().await {
        faults.push(fault);
        println!("attempt {}: {fault}", faults.len());
        assert!(faults.len() < 4, "{faults:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_gtids_answers_everything_itself_and_says_what_it_lacks() {
    let (server, redis) = tokio::join!(PlainDatabase::start(), testkit::Redis::start());
    let mysql = fixture::mysql(&server.url(), &[]);
    dal::migrate(&mysql).await.unwrap();
    let process = Process::on(&fixture::redis(&redis.url()), &mysql);
    // A deletion that comes before the first connection to Redis would be paid later than the writes return.
    eventually(PATIENCE, "Redis", async || {
        process.counters.clone().ping().await.ok()
    })
    .await;
    // As if it had had them once: old counts, and nothing that says that they are old.
    redis.command(1, &["SET", KEY, "77 1 1"]);
    let epoch = format!("{} 1 1 0-1-1", run_id(&redis));
    redis.command(1, &["SET", EPOCH, &epoch]);
    redis.command(1, &["ZADD", "t:counts:leases", "+inf", "whole"]);
    for n in 1..=5 {
        assert!(process.favorites.set(like(n, 1)).await.unwrap());
        process.comment(n).await;
        assert_eq!(process.count(HOT).await, n);
        assert_eq!(process.count(VideoComments(1)).await, n);
    }
    nothing_is_trusted(&process).await;
    assert_eq!(redis.command(1, &["EXISTS", KEY]), "0");
    let folded = fold_once(&process.db, &process.counters).await.unwrap();
    // Likes count for the video, its author and who likes.
    assert_eq!(
        folded,
        Some(Folded {
            rows: 20,
            compared: 0,
            redis_away: false
        })
    );
    assert_eq!(process.count(HOT).await, 5);
    let lacks = process
        .db
        .clone()
        .has_gtids()
        .await
        .unwrap_err()
        .to_string();
    let named = match Engine::of_tests() {
        Engine::MariaDb => "log_bin",
        Engine::MySql(_) => "gtid_mode",
    };
    assert!(lacks.contains(named), "{lacks}");
    let (_database, with) = fixture::migrated().await;
    with.has_gtids().await.unwrap();
}
