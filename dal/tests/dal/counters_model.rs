//! Likes and reads of two processes at once: no read is older than what was acknowledged before it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use dal::{
    Db,
    counters::Counters,
    counts::{self, Counter},
    favorites::Favorites,
    fold,
};
use testkit::eventually;

use crate::{
    fixture,
    stage::{PATIENCE, Stage, connected},
};

const VIDEOS: i64 = 100;
const LIKES_EACH: i64 = 6;
const READERS: usize = 8;

/// What is known of a video from outside.
#[derive(Default)]
struct Known {
    begun: AtomicI64,
    acknowledged: AtomicI64,
}

/// A second process: connections of its own to both.
async fn second(stage: &Stage) -> (Db, Counters) {
    let db = Db::connect(&fixture::mysql(stage.database.primary_url(), &[])).unwrap();
    let counters = connected(&stage.settings, &db).await;
    (db, counters)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_read_misses_what_was_acknowledged_before_it() {
    let stage = Stage::set(2000).await;
    let (db, counters) = second(&stage).await;
    let both = [stage.counters.clone(), counters.clone()];
    let writers = [
        Favorites::start(stage.db.clone(), stage.counters.clone()),
        Favorites::start(db, counters),
    ];
    let known: Arc<Vec<Known>> = Arc::new((0..=VIDEOS).map(|_| Known::default()).collect());
    // The video that is being liked: each is cold when its first likes and reads meet.
    let current = Arc::new(AtomicI64::new(1));
    let reads = Arc::new(AtomicU64::new(0));
    let readers: Vec<_> = (0..READERS)
        .map(|n| {
            let (counters, known) = (both[n % 2].clone(), known.clone());
            let (current, reads) = (current.clone(), reads.clone());
            tokio::spawn(async move {
                loop {
                    let video = current.load(SeqCst);
                    if video > VIDEOS {
                        return;
                    }
                    let of = &known[video as usize];
                    let least = of.acknowledged.load(SeqCst);
                    let counter = Counter::VideoFavorites(video);
                    let count = counters.read(&[counter]).await.unwrap()[&counter];
                    let most = of.begun.load(SeqCst);
                    assert!(
                        (least..=most).contains(&count),
                        "video {video}: {count} read, {least} acknowledged before, {most} begun"
                    );
                    reads.fetch_add(1, SeqCst);
                }
            })
        })
        .collect();
    for video in 1..=VIDEOS {
        current.store(video, SeqCst);
        let likes = (1..=LIKES_EACH).map(|user| {
            let (writer, of) = (&writers[user as usize % 2], &known[video as usize]);
            async move {
                of.begun.fetch_add(1, SeqCst);
                assert!(writer.set(fixture::like(user, video)).await.unwrap());
                of.acknowledged.fetch_add(1, SeqCst);
            }
        });
        futures::future::join_all(likes).await;
    }
    current.store(VIDEOS + 1, SeqCst);
    for reader in readers {
        reader.await.unwrap();
    }
    assert!(reads.load(SeqCst) > VIDEOS as u64);
    // All is right without a comparison, which finds nothing.
    let pass = stage.pass().await;
    assert!(pass.scanned >= VIDEOS as usize, "{pass:?}");
    assert_eq!(pass.repaired, 0);
    for stats in both.map(|counters| counters.stats()) {
        assert_eq!((stats.repaired, stats.invalidated), (0, 2), "{stats:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counts_are_right_soon_after_the_last_write_though_redis_forgets_all_the_time() {
    let stage = Stage::set(2000).await;
    let (db, counters) = second(&stage).await;
    let settings = settings::Counters {
        fold_period_ms: 100,
        scan_period_s: 3600,
        fold_workers: 4,
    };
    let folder = fold::Folder::start(stage.db.clone(), stage.counters.clone(), &settings);
    let writers = [
        Favorites::start(stage.db.clone(), stage.counters.clone()),
        Favorites::start(db, counters.clone()),
    ];
    let all: Vec<Counter> = (1..=5).map(Counter::VideoFavorites).collect();
    let likes: Vec<_> = (1..=16)
        .map(|user| {
            let (writer, counters) = (writers[user as usize % 2].clone(), counters.clone());
            let all = all.clone();
            tokio::spawn(async move {
                for round in 0..60 {
                    let op = dal::favorites::FavoriteOp {
                        liked: round % 3 != 2,
                        ..fixture::like(user, round % 5 + 1)
                    };
                    writer.set(op).await.unwrap();
                    counters.read(&all).await.unwrap();
                }
            })
        })
        .collect();
    while likes.iter().any(|task| !task.is_finished()) {
        stage.favorites(&["FLUSHALL"]);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for task in likes {
        task.await.unwrap();
    }
    let exact = counts::exact(&stage.db, &all).await.unwrap();
    eventually(PATIENCE, "the exact counts", async || {
        let values = stage.counters.read(&all).await.unwrap();
        (values == exact).then_some(())
    })
    .await;
    folder.stop().await;
}
