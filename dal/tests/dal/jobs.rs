//! Jobs: claims under a lease, and turns of authors.

use std::time::Duration;

use dal::{Db, jobs, uploads, videos};

use crate::fixture::{self, new_video, without_redis};

const LEASE: Duration = Duration::from_secs(30);

async fn with_job(db: &Db, author_id: i64, key: &str) -> Result<i64, dal::DalError> {
    uploads::record(db, key, author_id).await.unwrap();
    let video = videos::NewVideo {
        outcome: videos::Outcome::Job { max_unfinished: 20 },
        ..new_video(author_id, key)
    };
    let video = videos::publish(db, &without_redis(db), &video).await?;
    Ok(video.id)
}

async fn claim(db: &Db, token: &str, lease: Duration) -> Option<jobs::Job> {
    jobs::claim(db, &without_redis(db), token, lease)
        .await
        .unwrap()
}

#[tokio::test]
async fn authors_take_turns_whenever_they_come() {
    let (_database, db) = fixture::migrated().await;
    for n in 0..4 {
        with_job(&db, 1, &format!("one{n}")).await.unwrap();
    }
    for n in 0..2 {
        with_job(&db, 2, &format!("two{n}")).await.unwrap();
    }
    let mut authors = Vec::new();
    for n in 0..3 {
        authors.push(claim(&db, &format!("t{n}"), LEASE).await.unwrap().author_id);
    }
    // Who comes later waits neither for all of the first author's nor before those who wait already.
    with_job(&db, 3, "three").await.unwrap();
    for n in 3..7 {
        authors.push(claim(&db, &format!("t{n}"), LEASE).await.unwrap().author_id);
    }
    assert_eq!(authors, [1, 2, 1, 2, 3, 1, 1]);
    assert_eq!(claim(&db, "none", LEASE).await, None);
    // A queue that was empty knows who had many before.
    with_job(&db, 4, "four").await.unwrap();
    with_job(&db, 1, "one again").await.unwrap();
    assert_eq!(claim(&db, "t7", LEASE).await.unwrap().author_id, 4);
}

#[tokio::test]
async fn an_attempt_whose_end_could_not_be_noted_is_taken_back() {
    let (_database, db) = fixture::migrated().await;
    with_job(&db, 1, "a").await.unwrap();
    let again = async |token| {
        testkit::eventually(LEASE, "the end of the lease", async || {
            claim(&db, token, Duration::ZERO).await
        })
        .await
    };
    let first = again("first").await;
    assert_eq!((first.attempt, first.was_abandoned), (1, false));
    let second = again("second").await;
    assert_eq!((second.attempt, second.was_abandoned), (2, true));
    // Also when the job is another attempt's by now.
    jobs::refund_attempt(&db, &first).await.unwrap();
    let third = again("third").await;
    assert_eq!((third.attempt, third.was_abandoned), (2, true));
    // One that was noted isn't abandoned.
    let failure = jobs::Failure::Uncounted(Duration::ZERO);
    jobs::fail(&db, &without_redis(&db), &third, failure)
        .await
        .unwrap();
    let fourth = again("fourth").await;
    assert_eq!((fourth.attempt, fourth.was_abandoned), (2, false));
}

#[tokio::test]
async fn a_job_is_claimed_once_and_again_when_its_lease_has_run_out() {
    let (_database, db) = fixture::migrated().await;
    let video_id = with_job(&db, 1, "a").await.unwrap();
    let (one, other) = tokio::join!(claim(&db, "one", LEASE), claim(&db, "other", LEASE));
    let [job] = &[one, other].into_iter().flatten().collect::<Vec<_>>()[..] else {
        panic!("one of them")
    };
    assert_eq!(
        (job.video_id, job.attempt, job.is_published),
        (video_id, 1, false)
    );
    assert!(jobs::extend(&db, job, Duration::ZERO, 10).await.unwrap());
    let again = testkit::eventually(LEASE, "the end of the lease", async || {
        claim(&db, "again", LEASE).await
    });
    assert_eq!(again.await.attempt, 2);
    assert!(!jobs::extend(&db, job, LEASE, 20).await.unwrap());
}

#[tokio::test]
async fn no_author_has_more_unfinished_videos_than_may_be() {
    let (database, db) = fixture::migrated().await;
    let mut tasks = Vec::new();
    for n in 0..24 {
        let db = db.clone();
        tasks.push(tokio::spawn(async move {
            with_job(&db, 1, &format!("k{n}")).await.is_ok()
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let unfinished = "SELECT COUNT(*) FROM videos WHERE published_ms IS NULL";
    assert_eq!(database.value::<i64>(unfinished).await, 20);
    assert_eq!(database.value::<i64>("SELECT COUNT(*) FROM jobs").await, 20);
}

#[tokio::test]
async fn what_was_published_before_there_were_jobs_is_processed_last_and_stays_visible() {
    let (database, db) = fixture::migrated().await;
    let old = fixture::publish(&db, 1, "old").await;
    // As the migration finds it.
    let queue = "INSERT INTO jobs (video_id, author_id, turn) SELECT id, author_id, 1000000000001 FROM videos";
    database.execute(queue).await;
    let new = with_job(&db, 1, "new").await.unwrap();
    assert_eq!(claim(&db, "first", LEASE).await.unwrap().video_id, new);
    let job = claim(&db, "second", LEASE).await.unwrap();
    assert_eq!((job.video_id, job.is_published), (old.id, true));
    uploads::record(&db, "derived", 1).await.unwrap();
    let media = new_video(1, "derived").media;
    let replaced = jobs::Replaced {
        keep_original: false,
        ttl: Duration::from_secs(60),
    };
    let counters = without_redis(&db);
    jobs::finish(&db, &counters, &job, &media, replaced)
        .await
        .unwrap();
    let reader = dal::Reader::STRICT;
    let videos = videos::mget(&db, &[old.id], &reader).await.unwrap();
    assert_eq!(videos[0].object_key, "derived");
    assert_eq!(videos[0].published_ms, old.published_ms);
    let old_object = uploads::find(&db, "old").await.unwrap().unwrap();
    assert!(
        old_object.aborting,
        "to be removed when its URLs have ended"
    );
    let works =
        "SELECT CAST(SUM(delta) AS SIGNED) FROM ledger WHERE kind = (SELECT MIN(kind) FROM ledger)";
    assert_eq!(database.value::<i64>(works).await, 1, "counted once");
    with_job(&db, 2, "later").await.unwrap();
    assert_eq!(claim(&db, "third", LEASE).await.unwrap().author_id, 2);
}
