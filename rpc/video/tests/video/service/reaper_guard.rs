//! The reaper removes nothing if the bucket isn't bound to the database, or if the database lacks rows.

use std::sync::{Arc, Mutex};

use rpc_video::{ReapError, Reaped, Reaper};
use testkit::{environment, media as files};
use uuid::Uuid;

use crate::support::{Saboteur, world::World};

const A_WEEK: u64 = 7 * 24 * 3600;
const MARKER: &str = "bucket-id";

/// A key of a time long ago; a greater `n` is a later time.
fn old_key(n: usize) -> String {
    format!("videos/01890a5d-{n:04x}-774b-bcce-b302099a8057.mp4")
}

async fn put(world: &World, keys: impl Iterator<Item = String>) {
    for key in keys {
        world.bucket.put(&key, files::text()).await;
    }
}

/// Why a pass removed nothing.
async fn stopped(reaper: &Reaper) -> String {
    match reaper.pass().await {
        Err(ReapError::Stopped(why)) => why,
        other => panic!("not stopped: {other:?}"),
    }
}

async fn noted(world: &World) -> i64 {
    let sql = "SELECT COUNT(*) FROM unknown_objects";
    world.database.value(sql).await
}

#[tokio::test]
async fn what_no_row_knows_is_removed_a_week_after_it_was_first_seen_if_no_row_knows_it_then() {
    let world = World::set_up().await;
    world.published("kept").await;
    put(&world, (0..3).map(old_key)).await;
    let all = world.bucket.keys().await;
    let reaper = world.reaper(&world.settings.object_store, 0, A_WEEK);
    let first = reaper.pass().await.unwrap().unwrap();
    assert_eq!((first.noted, first.objects), (3, 0));
    // Seen again it is no newer.
    let second = world.reaper(&world.settings.object_store, 0, A_WEEK);
    let second = second.full_scan().pass().await.unwrap();
    assert_eq!(second, Some(Reaped::default()));
    assert_eq!(world.bucket.keys().await, all);

    for (n, age_s) in [(0, A_WEEK - 600), (1, A_WEEK + 600), (2, A_WEEK + 600)] {
        let sql = format!(
            "UPDATE unknown_objects SET first_seen_ms = first_seen_ms - {age_s}000 WHERE object_key = '{}'",
            old_key(n)
        );
        world.database.execute(&sql).await;
    }
    // One was only missing: the rows that know it came back.
    let known = format!(
        "INSERT INTO videos (author_id, title, object_key, cover_key, size_bytes, sha256, duration_ms, width, height, published_ms) \
         VALUES (1, 't', '{}', 'c', 1, '', 1, 1, 1, 1)",
        old_key(1)
    );
    world.database.execute(&known).await;
    let reaped = reaper.pass().await.unwrap().unwrap();
    assert_eq!((reaped.noted, reaped.objects, reaped.failed), (0, 1, 0));
    let left: Vec<String> = all.into_iter().filter(|key| *key != old_key(2)).collect();
    assert_eq!(world.bucket.keys().await, left);
    assert_eq!(noted(&world).await, 1, "the one that isn't due");
}

#[tokio::test]
async fn an_empty_database_with_a_full_bucket_removes_nothing_and_says_why() {
    let world = World::set_up().await;
    put(&world, (0..5).map(old_key)).await;
    let full = world.bucket.keys().await;
    let reaper = world.reaper(&world.settings.object_store, 0, 0);
    let why = stopped(&reaper).await;
    assert!(why.contains("none of the first 5 videos"), "{why}");

    // Also where the bucket was another database's before.
    world.bucket.put(MARKER, b"the other's".to_vec()).await;
    let why = stopped(&reaper).await;
    assert!(why.contains("the other's"), "{why}");
    assert_eq!(world.bucket.keys().await, full);
    assert_eq!(noted(&world).await, 0);

    // Unless somebody says that it is right.
    let accepting = world
        .reaper(&world.settings.object_store, 0, 0)
        .adopting_bucket();
    assert_eq!(accepting.pass().await.unwrap().unwrap().objects, 5);
    assert_eq!(reaper.pass().await.unwrap(), Some(Reaped::default()));
}

#[tokio::test]
async fn a_full_database_with_another_buckets_objects_removes_nothing_and_says_why() {
    let (world, other) = tokio::join!(World::set_up(), World::set_up());
    world.published("mine").await;
    other.published("theirs").await;
    // An upload that is over, by its row: its object must stay as well, for it may be the other's.
    other.upload(files::mp4()).await;
    let theirs = other.bucket.keys().await;

    // Never bound to any.
    let wrong = world.reaper(&other.settings.object_store, 0, 0);
    let why = stopped(&wrong).await;
    assert!(why.contains("the database knows none of"), "{why}");
    // Tied to another.
    assert_eq!(world.reap().await, Reaped::default());
    let why = stopped(&wrong).await;
    assert!(why.contains("has no object bucket-id"), "{why}");
    // Both bound to others.
    let patient = other.reaper(&other.settings.object_store, 3600, 0);
    assert_eq!(patient.pass().await.unwrap(), Some(Reaped::default()));
    world.upload(files::mp4()).await;
    let why = stopped(&wrong).await;
    assert!(why.contains("is bound to the bucket"), "{why}");
    assert_eq!(other.bucket.keys().await, theirs);
    assert_eq!((noted(&world).await, world.uploads().await), (0, 1));
    // At home all is as ever.
    assert_eq!(world.reap().await.uploads, 1);
}

#[tokio::test]
async fn a_pass_that_finds_too_many_unknown_objects_stops_and_removes_nothing() {
    let world = World::set_up().await;
    world.published("kept").await;
    put(&world, (0..51).map(old_key)).await;
    let all = world.bucket.keys().await;
    let reaper = world.reaper(&world.settings.object_store, 0, 0);
    // As often as it likes.
    for _ in 0..2 {
        let why = stopped(&reaper).await;
        assert!(why.contains("older dump"), "{why}");
    }
    assert_eq!(world.bucket.keys().await, all);
    world.store.delete(&old_key(50)).await.unwrap();
    let reaped = reaper.pass().await.unwrap().unwrap();
    assert_eq!((reaped.noted, reaped.objects), (50, 50));
}

#[tokio::test]
async fn a_few_in_each_of_many_passes_are_too_many_as_well() {
    let world = World::set_up().await;
    world.published("kept").await;
    let reaper = world.reaper(&world.settings.object_store, 0, A_WEEK);
    for from in [0, 30] {
        put(&world, (from..from + 30).map(old_key)).await;
        let reaped = reaper.pass().await.unwrap().unwrap();
        assert_eq!((reaped.noted, reaped.objects), (30, 0));
        // As if the next ones came of age after these.
        let sql = format!(
            "UPDATE reaper_watermarks SET object_key = '{}' WHERE prefix = 'videos/'",
            old_key(from + 29)
        );
        world.database.execute(&sql).await;
    }
    let all = world.bucket.keys().await;
    let due = world.reaper(&world.settings.object_store, 0, 0);
    stopped(&due).await;
    assert_eq!(world.bucket.keys().await, all);
}

#[tokio::test]
async fn a_reaper_that_was_restarted_does_not_list_again_what_was_looked_at() {
    let world = World::set_up().await;
    for title in ["one", "two"] {
        world.published(title).await;
    }
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = heads.clone();
    let spy = Saboteur::before(&environment::s3_endpoint(), move |head| {
        if let Some(line) = head
            .lines()
            .next()
            .filter(|line| line.contains("list-type"))
        {
            seen.lock().unwrap().push(line.to_owned());
        }
        false
    })
    .await;
    let lists = async || {
        heads.lock().unwrap().clear();
        let reaper = world.reaper_by(spy.url(), 0);
        assert_eq!(reaper.pass().await.unwrap(), Some(Reaped::default()));
        heads.lock().unwrap().clone()
    };
    let first = lists().await;
    assert!(
        first.iter().any(|line| !line.contains("start-after")),
        "{first:?}"
    );
    let again = lists().await;
    assert!(!again.is_empty());
    let newest = world.works().await.remove(0).play_url;
    let newest = newest.split("videos%2F").last().unwrap_or_default();
    let newest = newest.rsplit('/').next().unwrap_or_default();
    let id = newest.split('.').next().unwrap();
    Uuid::try_parse(id).unwrap();
    for line in &again {
        assert!(line.contains("start-after") && line.contains(id), "{line}");
    }
}
