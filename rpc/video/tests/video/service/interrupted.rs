//! Attempts of the transcoder for which the store closes connections or has lost everything, whose programs are killed, or for which there is no
//! space.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use idl::video::{VideoService as _, VideoState};
use testkit::{environment, eventually, media as files};

use crate::support::{Saboteur, kill_processes_naming, with_long_last_picture, world::World};

/// By when an attempt has started a program.
const SOON: Duration = Duration::from_secs(30);
const MAX_ATTEMPTS: i32 = 2;

/// A video that waits to be transcoded.
async fn with_job(change: impl FnOnce(&mut settings::Settings)) -> World {
    with_job_of(files::mpeg4(), change).await
}

async fn with_job_of(file: Vec<u8>, change: impl FnOnce(&mut settings::Settings)) -> World {
    let world = World::with(|settings| {
        settings.transcoder.retry_pause_s = 0;
        settings.transcoder.max_attempts = MAX_ATTEMPTS;
        change(settings);
    })
    .await;
    let request = world.upload(file).await;
    world.service.publish(request).await.unwrap();
    world
}

/// A request of ffprobe or ffmpeg.
fn is_of_a_program(head: &str) -> bool {
    head.starts_with("GET ") && head.contains("Lavf/")
}

/// One to read what is transcoded: no other URL is good for a minute, the least time for a transcode, and a margin of another.
fn is_of_a_transcode(head: &str) -> bool {
    let ttl = head.split("X-Amz-Expires=").nth(1);
    let ttl_s = ttl.and_then(|ttl| ttl.split(['&', ' ']).next()?.parse::<u64>().ok());
    is_of_a_program(head) && ttl_s.is_some_and(|ttl_s| ttl_s >= 120)
}

/// The store, which closes the connection when a transcode has read half of this upload. `rest`: how many bytes it then gets of each further
/// answer; none: all. Also gives the number of its requests.
async fn closing_half_way(file: &[u8], rest: Option<usize>) -> (Saboteur, Arc<AtomicUsize>) {
    let reads = Arc::new(AtomicUsize::new(0));
    let counted = reads.clone();
    let half = file.len() / 2;
    let saboteur = Saboteur::midway(&environment::s3_endpoint(), move |head| {
        if !is_of_a_transcode(head) {
            return None;
        }
        match counted.fetch_add(1, Ordering::Relaxed) {
            0 => Some(half),
            _ => rest,
        }
    })
    .await;
    (saboteur, reads)
}

#[tokio::test]
async fn a_transcode_goes_on_when_the_store_has_closed_its_connection_once() {
    let mut world = with_job(|_| {}).await;
    let (saboteur, reads) = closing_half_way(&files::mpeg4(), None).await;
    world.settings.object_store.endpoint = saboteur.url();
    assert!(world.work().await);
    assert_eq!(saboteur.cuts(), 1);
    assert_eq!(reads.load(Ordering::Relaxed), 2, "the rest was asked for");
    let ready = world.works_for_others().await;
    assert_eq!(ready.len(), 1, "{:?}", world.works().await);
    let duration_ms = ready[0].duration_ms.unwrap();
    assert!((900..1200).contains(&duration_ms), "{ready:?}");
}

#[tokio::test]
async fn what_is_missing_because_the_store_went_away_is_tried_again_and_not_counted() {
    let mut world = with_job(|_| {}).await;
    let objects = world.bucket.keys().await;
    let (saboteur, reads) = closing_half_way(&files::mpeg4(), Some(0)).await;
    world.settings.object_store.endpoint = saboteur.url();
    assert!(world.work().await);
    assert!(reads.load(Ordering::Relaxed) > 1, "the rest was asked for");
    let job = "SELECT CONCAT(state, ' ', attempts) FROM jobs";
    assert_eq!(world.database.value::<String>(job).await, "0 0");
    assert_eq!(world.works_for_others().await, []);
    assert_eq!(world.bucket.keys().await, objects, "nothing stays");
    assert_eq!(world.uploads().await, 0);
}

#[tokio::test]
async fn a_picture_that_is_shown_for_long_at_the_end_is_not_taken_for_a_missing_end() {
    let film = with_long_last_picture("mpeg4");
    let mut world = with_job_of(film.clone(), |_| {}).await;
    let (saboteur, _) = closing_half_way(&film, None).await;
    world.settings.object_store.endpoint = saboteur.url();
    assert!(world.work().await);
    assert_eq!(saboteur.cuts(), 1);
    let ready = world.works_for_others().await;
    assert_eq!(ready.len(), 1, "{:?}", world.works().await);
    // Some versions of ffmpeg show it as long as the original does.
    let duration_ms = ready[0].duration_ms.unwrap();
    assert!((5000..=15_100).contains(&duration_ms), "{ready:?}");
}

async fn make_due(world: &World) {
    let now = "UPDATE jobs SET not_before_ms = 0";
    world.database.execute(now).await;
}

/// The author is told why after the last attempt, and nothing but the upload stays.
async fn assert_failed(world: &World, why: &str) {
    let works = world.works().await;
    assert_eq!(works[0].state, Some(VideoState::FAILED), "{works:?}");
    let reason = works[0].reason.as_deref().unwrap_or_default();
    assert!(reason.contains(why), "{works:?}");
    assert!(!world.work().await, "no job is left");
    assert_eq!(world.uploads().await, 0);
}

#[tokio::test]
async fn a_video_for_which_the_system_kills_the_programs_fails_after_the_last_attempt() {
    let mut world = with_job(|_| {}).await;
    // So that they are there to be killed.
    let saboteur = Saboteur::silent(&environment::s3_endpoint(), is_of_a_program).await;
    world.settings.object_store.endpoint = saboteur.url();
    let address = saboteur.address().to_string();
    for attempt in 1..=MAX_ATTEMPTS {
        let killed = eventually(SOON, "a program at work", async || {
            (kill_processes_naming(&address) > 0).then_some(())
        });
        let (was_there, ()) = tokio::join!(world.work(), killed);
        assert!(was_there, "{attempt}");
        // What took the memory may still run a minute later.
        let waits =
            "SELECT COUNT(*) FROM jobs WHERE not_before_ms > (UNIX_TIMESTAMP() + 60) * 1000";
        let waiting = i64::from(attempt < MAX_ATTEMPTS);
        assert_eq!(world.database.value::<i64>(waits).await, waiting);
        make_due(&world).await;
    }
    assert_failed(&world, "ended unexpectedly").await;
}

#[tokio::test]
async fn a_video_that_takes_more_than_all_scratch_space_fails_after_the_last_attempt() {
    let world = with_job(|settings| settings.media.scratch_bytes = 4 << 20).await;
    for attempt in 1..=MAX_ATTEMPTS {
        assert!(world.work().await, "{attempt}");
    }
    assert_failed(&world, "disk space").await;
}

#[tokio::test]
async fn an_upload_that_is_missing_in_another_bucket_is_waited_for_and_in_its_own_fails() {
    const MARKER: &str = "bucket-id";
    let world = World::with(|settings| {
        settings.transcoder.retry_pause_s = 0;
        settings.transcoder.max_attempts = MAX_ATTEMPTS;
    })
    .await;
    // The first pass binds the bucket to the database.
    world.reap().await;
    let marker = "SELECT marker FROM bucket WHERE id = 1";
    let marker = world.database.value::<String>(marker).await;
    let request = world.upload(files::mpeg4()).await;
    world.service.publish(request.clone()).await.unwrap();
    world.store.delete(&request.object_key).await.unwrap();
    for other in [None, Some("the other's")] {
        world.store.delete(MARKER).await.unwrap();
        if let Some(other) = other {
            world.bucket.put(MARKER, other.into()).await;
        }
        for attempt in 0..=MAX_ATTEMPTS {
            assert!(world.work().await, "{other:?}: {attempt}");
            let waits = "SELECT CONCAT(state, ' ', attempts, ' ', not_before_ms > 0) FROM jobs";
            let job = world.database.value::<String>(waits).await;
            assert_eq!(job, "0 0 1", "{other:?}: {attempt}");
            make_due(&world).await;
        }
    }
    world.bucket.put(MARKER, marker.into_bytes()).await;
    for attempt in 1..=MAX_ATTEMPTS {
        assert!(world.work().await, "{attempt}");
        make_due(&world).await;
    }
    assert_failed(&world, "is gone").await;
}
