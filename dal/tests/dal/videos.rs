//! Videos: publish, publish times, the feed, works, and reads by id.

use std::{collections::HashSet, time::Instant};

use dal::{DalError, Reader, counts::Counter, uploads, videos};

use futures::{StreamExt as _, stream};
use testkit::Database;

use crate::fixture::{self, new_video, publish, without_redis};

fn ids(videos: &[videos::Video]) -> Vec<i64> {
    videos.iter().map(|video| video.id).collect()
}

#[tokio::test]
async fn a_published_video_is_what_was_given_and_its_upload_is_forgotten() {
    let (database, db) = fixture::migrated().await;
    let clock = "SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)";
    let before: i64 = database.value(clock).await;
    let video = publish(&db, 7, "a.mp4").await;
    let after: i64 = database.value(clock).await;

    assert!(
        (before..=after).contains(&video.published_ms),
        "stamped by the primary's clock"
    );
    assert_eq!((video.author_id, video.title.as_str()), (7, "标题 a.mp4"));
    assert_eq!(
        videos::mget(&db, &[video.id], &Reader::STRICT)
            .await
            .unwrap(),
        [video]
    );
    assert_eq!(uploads::find(&db, "a.mp4").await.unwrap(), None);
    assert_eq!(
        database
            .value::<i64>("SELECT duration_ms FROM videos")
            .await,
        1000
    );
}

#[tokio::test]
async fn only_the_own_recorded_upload_can_be_published_and_only_once() {
    let (database, db) = fixture::migrated().await;
    let refused = async |author_id, key: &str| {
        matches!(
            videos::publish(&db, &without_redis(&db), &new_video(author_id, key)).await,
            Err(DalError::NotFound)
        )
    };
    assert!(refused(1, "unknown").await);
    uploads::record(&db, "a", 1).await.unwrap();
    assert!(refused(2, "a").await);
    videos::publish(&db, &without_redis(&db), &new_video(1, "a"))
        .await
        .unwrap();
    assert!(refused(1, "a").await);
    assert_eq!(
        database.value::<i64>("SELECT COUNT(*) FROM videos").await,
        1
    );
}

#[tokio::test]
async fn a_tie_takes_the_next_free_millisecond() {
    let (database, db) = fixture::migrated().await;
    uploads::record(&db, "late", 1).await.unwrap();
    // Every millisecond of the next half second is taken.
    let now: i64 = database
        .value("SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)")
        .await;
    let free = now + 500;
    let rows: Vec<String> = (now..free)
        .map(|ms| format!("(1, 't', 'k{ms}', 'c', 1, '', 1, 1, 1, {ms})"))
        .collect();
    let columns = "author_id, title, object_key, cover_key, size_bytes, sha256, duration_ms, width, height, published_ms";
    database
        .execute(&format!(
            "INSERT INTO videos ({columns}) VALUES {}",
            rows.join(",")
        ))
        .await;
    let video = videos::publish(&db, &without_redis(&db), &new_video(1, "late"))
        .await
        .unwrap();
    assert!(video.published_ms >= free);
    let first_after = format!("SELECT MIN(published_ms) FROM videos WHERE published_ms >= {free}");
    assert_eq!(
        database.value::<i64>(&first_after).await,
        video.published_ms
    );
}

#[tokio::test]
async fn publishes_on_all_connections_at_once_all_get_a_time_of_their_own() {
    let (_database, db) = fixture::migrated().await;
    for n in 0..200 {
        uploads::record(&db, &format!("k{n}"), 1).await.unwrap();
    }
    let counters = without_redis(&db);
    let started = Instant::now();
    // As many as there are connections: more would wait for one, on a slow machine longer than a write may.
    let times: HashSet<i64> = stream::iter(0..200)
        .map(|n| {
            let (db, counters) = (db.clone(), counters.clone());
            let video = new_video(1, &format!("k{n}"));
            tokio::spawn(async move { videos::publish(&db, &counters, &video).await })
        })
        .buffer_unordered(fixture::MAX_CONNECTIONS)
        .map(|publish| publish.unwrap().unwrap().published_ms)
        .collect()
        .await;
    println!(
        "200 publishes in {:?}, stamps over {} ms",
        started.elapsed(),
        times.iter().max().unwrap() - times.iter().min().unwrap()
    );
    assert_eq!(times.len(), 200);
}

#[tokio::test]
async fn the_feed_pages_from_the_newest_to_the_oldest_without_gap_or_repeat() {
    let (_database, db) = fixture::migrated().await;
    let mut published = Vec::new();
    for n in 0..7 {
        published.push(publish(&db, n % 2 + 1, &format!("k{n}")).await);
    }
    published.reverse();

    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let page = videos::feed_page(&db, before, 3, &Reader::STRICT)
            .await
            .unwrap();
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        before = Some(last.published_ms);
        seen.extend(page);
    }
    assert_eq!(seen, published);
    assert!(
        videos::feed_page(&db, Some(0), 3, &Reader::STRICT)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn an_authors_works_page_on_from_a_place_whatever_becomes_of_who_stood_there() {
    let (database, db) = fixture::migrated().await;
    let mut mine = Vec::new();
    for n in 0..5 {
        mine.push(publish(&db, 1, &format!("mine{n}")).await.id);
        publish(&db, 2, &format!("other{n}")).await;
    }
    mine.reverse();
    let page = async |author_id, before, limit| {
        let page = videos::by_author(&db, author_id, before, limit, false, &Reader::STRICT);
        let page = page.await.unwrap();
        (ids(&page.entries), page.next_before)
    };
    let (first, place) = page(1, None, 2).await;
    assert_eq!((first, place), (mine[..2].to_vec(), Some(mine[1])));
    assert_eq!(page(1, place, 3).await, (mine[2..].to_vec(), None));
    assert_eq!(page(1, Some(mine[4]), 3).await, (Vec::new(), None));
    // A place is one whoever stands there, or nobody.
    database
        .execute(&format!("DELETE FROM videos WHERE id = {}", mine[1]))
        .await;
    assert_eq!(page(1, place, 3).await, (mine[2..].to_vec(), None));
    assert_eq!(page(1, Some(mine[0] + 1), 1).await.0, mine[..1]);
    assert_eq!(page(3, None, 3).await, (Vec::new(), None));
}

/// The primary's clock, in ms.
const CLOCK: &str = "SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)";

/// Takes the publish times from `from_ms` on.
async fn take_times(database: &Database, from_ms: i64, count: i64) {
    let rows: Vec<String> = (from_ms..from_ms + count)
        .map(|ms| format!("(1, 't', 'taken{ms}', 'c', 1, '', 1, 1, 1, {ms})"))
        .collect();
    let insert = format!(
        "INSERT INTO videos (author_id, title, object_key, cover_key, size_bytes, sha256, duration_ms, width, height, published_ms) \
         VALUES {}",
        rows.join(", ")
    );
    database.execute(&insert).await;
}

#[tokio::test]
async fn when_no_publish_time_is_free_that_is_told_and_nothing_is_written() {
    let (database, db) = fixture::migrated().await;
    uploads::record(&db, "k", 1).await.unwrap();
    take_times(&database, database.value(CLOCK).await, 60_000).await;
    let refused = videos::publish(&db, &without_redis(&db), &new_video(1, "k")).await;
    assert!(
        matches!(refused, Err(DalError::NoPublishTime)),
        "{refused:?}"
    );
    // Not published, and not unknown: the upload can be taken back at once.
    assert!(uploads::begin_abort(&db, "k").await.unwrap().is_some());
}

#[tokio::test]
async fn now_is_after_every_publish_also_when_the_clock_was_set_back() {
    let (database, db) = fixture::migrated().await;
    let before: i64 = database.value(CLOCK).await;
    let empty = videos::now_ms(&db).await.unwrap();
    let after: i64 = database.value(CLOCK).await;
    assert!(
        (before..=after).contains(&empty),
        "{before} {empty} {after}"
    );
    // Stamped by a clock that was 90 s ahead.
    let ahead = after + 90_000;
    take_times(&database, ahead, 1).await;
    assert_eq!(videos::now_ms(&db).await.unwrap(), ahead + 1);
    let now = Some(ahead + 1);
    let page = videos::feed_page(&db, now, 30, &Reader::STRICT).await;
    assert_eq!(page.unwrap().len(), 1);
}

#[tokio::test]
async fn works_are_counted_at_once_and_shown_with_the_user_after_a_fold() {
    let (_database, db) = fixture::migrated().await;
    let counters = fixture::without_redis(&db);
    let users = [
        dal::users::create(&db, "a", "h").await.unwrap(),
        dal::users::create(&db, "b", "h").await.unwrap(),
    ];
    for (author, key) in [(0, "a"), (1, "b"), (0, "c")] {
        publish(&db, users[author], key).await;
    }
    let works = users.map(Counter::UserWorks);
    let exact = dal::counts::exact(&db, &works).await.unwrap();
    assert_eq!(works.map(|counter| exact[&counter]), [2, 1]);

    let shown = async || {
        let mut found = dal::users::mget(&db, &users, &Reader::STRICT)
            .await
            .unwrap();
        found.sort_by_key(|user| user.id);
        found.iter().map(|user| user.work_count).collect::<Vec<_>>()
    };
    assert_eq!(shown().await, [0, 0]);
    dal::fold::fold_once(&db, &counters).await.unwrap();
    assert_eq!(shown().await, [2, 1]);
}

#[tokio::test]
async fn the_authors_of_videos_are_known_at_once() {
    let (_primary, _replica, db) = fixture::with_a_replica_that_lags().await;
    let (first, second) = (publish(&db, 7, "a").await.id, publish(&db, 8, "b").await.id);
    let ids = [second, first, 404, first];
    let mut authors = videos::authors_of(&db, &ids, &Reader::STRICT)
        .await
        .unwrap();
    authors.sort_unstable();
    assert_eq!(authors, [(first, 7), (second, 8)]);
}

#[tokio::test]
async fn publish_and_abort_exclude_each_other() {
    let (database, db) = fixture::migrated().await;
    let counters = without_redis(&db);
    let races: Vec<_> = (0..40)
        .map(|n| {
            let (db, counters) = (db.clone(), counters.clone());
            tokio::spawn(async move {
                let key = format!("k{n}");
                uploads::record(&db, &key, 1).await.unwrap();
                let video = new_video(1, &key);
                let (published, aborted) = tokio::join!(
                    videos::publish(&db, &counters, &video),
                    uploads::begin_abort(&db, &key)
                );
                let (published, aborted) = (published.is_ok(), aborted.unwrap().is_some());
                assert!(
                    published != aborted,
                    "published {published}, aborted {aborted}"
                );
                aborted
            })
        })
        .collect();
    let mut aborted = 0_i64;
    for race in races {
        aborted += i64::from(race.await.unwrap());
    }
    assert_eq!(
        database.value::<i64>("SELECT COUNT(*) FROM videos").await,
        40 - aborted
    );
    assert_eq!(
        database.value::<i64>("SELECT COUNT(*) FROM uploads").await,
        aborted
    );
}
