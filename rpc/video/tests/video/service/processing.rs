//! Videos that aren't ready: who sees them, how a job makes them ready, and what an attempt leaves that was overtaken.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use dal::jobs;
use idl::{
    base::Code,
    video::{MGetAuthorsRequest, MGetVideosRequest, VideoService as _, VideoState},
};
use testkit::{environment, eventually, media as files};

use crate::support::{
    Saboteur, kill_processes_naming, with_long_last_picture,
    world::{AUTHOR, STRANGER, World, feed, refused, titles},
};

/// By when a publish has come to a step.
const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn only_its_author_sees_a_video_until_a_job_has_made_it_ready() {
    let world = World::set_up().await;
    let request = world.upload(files::mpeg4()).await;
    let published = world.service.publish(request.clone()).await.unwrap();
    let works = world.works().await;
    let [video] = &works[..] else {
        panic!("{works:?}")
    };
    assert_eq!(video.state, Some(VideoState::PROCESSING));
    assert_eq!(video.published_ms, 0);
    let http = reqwest::Client::new();
    for url in [&video.play_url, &video.cover_url] {
        assert_eq!(http.get(url.as_str()).send().await.unwrap().status(), 200);
    }
    assert_eq!(world.works_for_others().await, []);
    assert_eq!(world.service.feed(feed(None, 30)).await.unwrap().videos, []);
    let ids = vec![published.video_id];
    let by_id = async |viewer_id| {
        let request = MGetVideosRequest {
            video_ids: vec![published.video_id],
            viewer_id,
        };
        world.service.mget_videos(request).await.unwrap().videos
    };
    assert_eq!(by_id(None).await, []);
    assert_eq!(by_id(Some(STRANGER)).await, []);
    assert_eq!(by_id(Some(AUTHOR)).await, works);
    let authors = MGetAuthorsRequest { video_ids: ids };
    let authors = world.service.mget_authors(authors).await.unwrap();
    assert!(authors.author_ids.is_empty());
    let works = "SELECT CAST(COALESCE(SUM(delta), 0) AS SIGNED) FROM ledger WHERE target_id = 7";
    let works = async || world.database.value::<i64>(works).await;
    assert_eq!(works().await, 0);

    assert!(world.work().await);
    let page = world.service.feed(feed(None, 30)).await.unwrap();
    assert_eq!(titles(&page.videos), ["A walk"]);
    assert_eq!(page.videos, world.works_for_others().await);
    let video = &page.videos[0];
    assert_eq!(video.state, Some(VideoState::READY));
    assert_eq!(by_id(None).await.len(), 1);
    assert_eq!(works().await, 1);
    assert_eq!((video.width, video.height), (Some(180), Some(320)));
    let play = http.get(video.play_url.as_str()).send().await.unwrap();
    assert_eq!(play.headers()["content-type"], "video/mp4");
    assert!(!world.work().await, "the job is done");

    // The upload goes when nobody can have its URL any more.
    assert_eq!(world.reap().await.uploads, 0);
    let later = "UPDATE uploads SET created_at = NOW(3) - INTERVAL 1 DAY";
    world.database.execute(later).await;
    assert_eq!(world.reap().await.uploads, 1);
    let keys = world.bucket.keys().await;
    assert!(!keys.contains(&request.object_key.to_string()), "{keys:?}");
    assert_eq!(keys.len(), 3, "the video and its covers: {keys:?}");
    let cover = http.get(video.cover_url.as_str()).send().await.unwrap();
    assert_eq!(cover.status(), 200);
}

#[tokio::test]
async fn a_large_video_gets_a_small_rendition() {
    let world = World::with(|settings| settings.media.small_height = 144).await;
    let request = world.upload(files::mpeg4()).await;
    world.service.publish(request).await.unwrap();
    assert!(world.work().await);
    let works = world.works_for_others().await;
    let renditions = works[0].renditions.clone().unwrap();
    let heights: Vec<i32> = renditions.iter().map(|one| one.height).collect();
    assert_eq!(heights, [320, 256]);
    for rendition in renditions {
        let play = reqwest::get(rendition.url.as_str()).await.unwrap();
        assert_eq!(play.status(), 200);
        assert!(rendition.bit_rate > 0);
    }
    // What belongs to the video is no leftover.
    world.reap().await;
    assert_eq!(
        world.bucket.keys().await.len(),
        7,
        "and the old one's three"
    );
}

#[tokio::test]
async fn the_places_where_a_film_was_made_are_removed() {
    let world = World::set_up().await;
    const PLACE: &[u8] = b"+48.8577+002.2950";
    let file = files::with_place();
    let has_place = |bytes: &[u8]| bytes.windows(PLACE.len()).any(|part| part == PLACE);
    assert!(has_place(&file));
    let request = world.upload(file).await;
    world.service.publish(request.clone()).await.unwrap();
    let works = world.works_for_others().await;
    let play = reqwest::get(works[0].play_url.as_str()).await.unwrap();
    assert!(!has_place(&play.bytes().await.unwrap()));
    // Turned as it was.
    assert_eq!((works[0].width, works[0].height), (Some(320), Some(180)));
    let keys = world.bucket.keys().await;
    assert!(!keys.contains(&request.object_key.to_string()), "{keys:?}");
}

#[tokio::test]
async fn originals_are_kept_where_the_settings_say_so() {
    let world = World::with(|settings| settings.media.keep_originals = true).await;
    let (quick, slow) = (
        world.upload(files::mp4()).await,
        world.upload(files::mpeg4()).await,
    );
    for request in [&quick, &slow] {
        world.service.publish(request.clone()).await.unwrap();
    }
    assert!(world.work().await);
    world.reap().await;
    let keys = world.bucket.keys().await;
    for request in [&quick, &slow] {
        assert!(keys.contains(&request.object_key.to_string()), "{keys:?}");
    }
    for video in world.works_for_others().await {
        assert!(!video.play_url.contains(quick.object_key.as_str()));
        assert!(!video.play_url.contains(slow.object_key.as_str()));
    }
    assert_eq!(world.works_for_others().await.len(), 2);
}

#[tokio::test]
async fn an_author_with_many_unfinished_videos_has_to_wait() {
    let world = World::with(|settings| settings.media.max_unfinished = 1).await;
    let request = world.upload(files::mpeg4()).await;
    world.service.publish(request).await.unwrap();
    let objects = world.bucket.keys().await;
    let request = world.upload(files::mpeg4()).await;
    let (code, words) = refused(world.service.publish(request).await);
    assert_eq!(code, Code::TOO_MANY_REQUESTS, "{words}");
    assert!(words.contains("1 of your videos"), "{words}");
    assert_eq!(world.bucket.keys().await, objects, "nothing stays");
    // What plays as it is needs no turn.
    world.published("at once").await;
    assert!(world.work().await);
    let request = world.upload(files::mpeg4()).await;
    world.service.publish(request).await.unwrap();
}

#[tokio::test]
async fn a_full_scratch_disk_makes_a_job() {
    let mut world = World::set_up().await;
    let request = world.upload(files::mp4()).await;
    let good = std::mem::replace(&mut world.settings.media.scratch_dir, "/nowhere".to_owned());
    let service = crate::support::world::service(&world.settings);
    service.publish(request).await.unwrap();
    assert_eq!(world.works().await[0].state, Some(VideoState::PROCESSING));
    // It stays one until there is room again.
    assert!(world.work().await);
    assert_eq!(world.works().await[0].state, Some(VideoState::PROCESSING));
    world.settings.media.scratch_dir = good;
    let now = "UPDATE jobs SET not_before_ms = 0";
    world.database.execute(now).await;
    assert!(world.work().await);
    assert_eq!(world.works().await[0].state, Some(VideoState::READY));
}

#[tokio::test]
async fn a_remux_whose_program_the_system_kills_becomes_a_job() {
    let world = World::set_up().await;
    let request = world.upload(files::mp4()).await;
    // The probe of a small file is one request; the next is the remux's.
    let seen = AtomicUsize::new(0);
    let saboteur = Saboteur::silent(&environment::s3_endpoint(), move |head| {
        head.contains("Lavf") && seen.fetch_add(1, Ordering::Relaxed) == 1
    })
    .await;
    let service = world.service_by(saboteur.url());
    let address = saboteur.address().to_string();
    let killed = eventually(SOON, "a remux at work", async || {
        (saboteur.cuts() > 0 && kill_processes_naming(&address) > 0).then_some(())
    });
    let (published, ()) = tokio::join!(service.publish(request), killed);
    published.unwrap();
    assert_eq!(world.works().await[0].state, Some(VideoState::PROCESSING));
    assert!(world.work().await);
    assert_eq!(world.works().await[0].state, Some(VideoState::READY));
}

#[tokio::test]
async fn a_publish_whose_program_the_system_kills_may_be_tried_again() {
    let world = World::set_up().await;
    let request = world.upload(files::mpeg4()).await;
    let store = environment::s3_endpoint();
    let saboteur = Saboteur::silent(&store, |head| head.contains("Lavf")).await;
    let service = world.service_by(saboteur.url());
    let address = saboteur.address().to_string();
    let killed = eventually(SOON, "a program at work", async || {
        (saboteur.cuts() > 0 && kill_processes_naming(&address) > 0).then_some(())
    });
    let (published, ()) = tokio::join!(service.publish(request), killed);
    assert_eq!(refused(published).0, Code::UNAVAILABLE);
    world.assert_nothing_stays("killed").await;
}

#[tokio::test]
async fn a_remux_that_seems_to_lack_the_end_is_left_to_a_job_which_reads_the_whole_file() {
    let world = World::set_up().await;
    let request = world.upload(with_long_last_picture("libx264")).await;
    world.service.publish(request).await.unwrap();
    let processing = world.works().await;
    assert_eq!(processing[0].state, Some(VideoState::PROCESSING));
    assert!(world.work().await);
    let works = world.works().await;
    assert_eq!(works[0].state, Some(VideoState::READY), "{works:?}");
    // More than the 6 s of its packets.
    let duration_ms = works[0].duration_ms.unwrap();
    assert!(duration_ms > 10_000, "{works:?}");
    assert_eq!(processing[0].duration_ms, Some(duration_ms));
}

#[tokio::test]
async fn after_the_last_attempt_the_author_is_told_why() {
    let world = World::with(|settings| settings.transcoder.retry_pause_s = 0).await;
    let request = world.upload(files::mpeg4()).await;
    world.service.publish(request.clone()).await.unwrap();
    world.bucket.put(&request.object_key, files::text()).await;
    for attempt in 1..=3 {
        assert_eq!(
            world.works().await[0].state,
            Some(VideoState::PROCESSING),
            "{attempt}"
        );
        assert!(world.work().await, "{attempt}");
    }
    let works = world.works().await;
    assert_eq!(works[0].state, Some(VideoState::FAILED));
    assert!(
        works[0].reason.as_deref().unwrap().contains("format"),
        "{works:?}"
    );
    assert!(!world.work().await);
    assert_eq!(world.works_for_others().await, []);
    assert_eq!(world.uploads().await, 0);
}

#[tokio::test]
async fn an_attempt_that_has_lost_its_lease_publishes_nothing_and_leaves_nothing() {
    let world = World::with(|settings| settings.transcoder.lease_s = 3).await;
    let request = world.upload(files::mpeg4()).await;
    world.service.publish(request).await.unwrap();
    // As a process that was stopped: claimed, its objects stored, and its lease has run out.
    let db = dal::Db::connect(&world.settings.mysql).unwrap();
    let counters = dal::counters::Counters::connect(&world.settings.redis, db.clone()).unwrap();
    let claim = async |token: &str, lease| jobs::claim(&db, &counters, token, lease).await.unwrap();
    let stopped = claim("stopped", Duration::ZERO).await.unwrap();
    assert_eq!(stopped.attempt, 1);
    assert!(world.work().await, "another takes over");
    let ready = world.works_for_others().await;
    assert_eq!(ready.len(), 1);
    // It goes on.
    let lease = Duration::from_secs(30);
    assert!(!jobs::extend(&db, &stopped, lease, 50).await.unwrap());
    let media = dal::videos::Media {
        object_key: "videos/late.mp4".to_owned(),
        cover_key: "covers/late.jpg".to_owned(),
        has_small_cover: false,
        duration_ms: 1,
        width: 1,
        height: 1,
        bit_rate: 1,
        small: None,
    };
    let own = ["videos/late.mp4".to_owned()];
    dal::uploads::record_derived(&db, &own, AUTHOR)
        .await
        .unwrap();
    let replaced = jobs::Replaced {
        keep_original: false,
        ttl: Duration::ZERO,
    };
    let late = jobs::finish(&db, &counters, &stopped, &media, replaced).await;
    assert!(matches!(late, Err(dal::DalError::NotFound)), "{late:?}");
    assert_eq!(world.works_for_others().await, ready);
}

#[tokio::test(flavor = "current_thread")]
async fn an_attempt_whose_process_stood_still_past_its_lease_counts() {
    const LEASE: Duration = Duration::from_secs(3);
    let world = World::with(|settings| settings.transcoder.lease_s = LEASE.as_secs()).await;
    let request = world.upload(files::mpeg4()).await;
    world.service.publish(request).await.unwrap();
    let standing_still = async {
        let state = "SELECT CAST(state AS SIGNED) FROM jobs";
        eventually(Duration::from_secs(30), "a claim", async || {
            (world.database.value::<i64>(state).await == 1).then_some(())
        })
        .await;
        // Blocks the only thread of this runtime, and with it the attempt, until another process takes over.
        let settings = world.settings.clone();
        let other = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let db = dal::Db::connect(&settings.mysql).unwrap();
                let counters =
                    dal::counters::Counters::connect(&settings.redis, db.clone()).unwrap();
                eventually(10 * LEASE, "the end of the lease", async || {
                    let lease = Duration::from_secs(30);
                    jobs::claim(&db, &counters, "other", lease).await.unwrap()
                })
                .await
            })
        });
        other.join().unwrap()
    };
    let (was_there, other) = tokio::join!(world.work(), standing_still);
    assert!(was_there);
    assert_eq!(other.attempt, 2);
    let job = "SELECT CONCAT(attempts, ' ', token) FROM jobs";
    assert_eq!(world.database.value::<String>(job).await, "2 other");
}

#[tokio::test]
async fn a_transcoder_that_stops_gives_its_job_back() {
    let world = World::set_up().await;
    let request = world.upload(files::mpeg4()).await;
    world.service.publish(request).await.unwrap();
    let (stop, mut stopped) = tokio::sync::watch::channel(false);
    stop.send(true).unwrap();
    assert!(world.transcoder().work(&mut stopped).await);
    let job = "SELECT CONCAT(state, ' ', attempts, ' ', token) FROM jobs";
    assert_eq!(world.database.value::<String>(job).await, "0 0 ");
    assert!(world.work().await);
    assert_eq!(world.works_for_others().await.len(), 1);
}
