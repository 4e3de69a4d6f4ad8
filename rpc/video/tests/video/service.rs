//! The use cases on the real database and object store, and what stays behind when a step of them fails.

mod idempotency;
mod interrupted;
mod leftovers;
mod processing;
mod reaper_guard;

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use crate::support::world::{AUTHOR, STRANGER, World, abort, feed, publish, refused, titles};
use crate::support::{Saboteur, processes_naming};
use idl::{
    base::Code,
    video::{
        BeginUploadRequest, Container, ListByAuthorRequest, MGetAuthorsRequest, MGetVideosRequest,
        UploadKind, VideoService as _,
    },
};
use testkit::{Tripwire, environment, eventually, media as files};

/// By when a publish has come to a step.
const SOON: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_published_video_is_in_every_list_with_urls_that_play() {
    let world = World::set_up().await;
    let request = world.upload(files::mp4()).await;
    let published = world.service.publish(request.clone()).await.unwrap();
    let works = world.works().await;
    let page = world.service.feed(feed(None, 30)).await.unwrap();
    assert_eq!(works, page.videos);
    let [video] = &works[..] else {
        panic!("{works:?}")
    };
    assert_eq!(video.id, published.video_id);
    assert_eq!(video.published_ms, published.published_ms);
    assert_eq!((video.author_id, video.title.as_str()), (AUTHOR, "A walk"));

    let http = reqwest::Client::new();
    let play = http.get(video.play_url.as_str());
    let play = play.header("Range", "bytes=0-9").send().await.unwrap();
    assert_eq!(play.status(), 206);
    assert_eq!(play.bytes().await.unwrap(), files::mp4()[..10]);
    let cover = http.get(video.cover_url.as_str()).send().await.unwrap();
    assert_eq!(cover.headers()["content-type"], "image/jpeg");
    assert!(cover.bytes().await.unwrap().starts_with(&[0xFF, 0xD8]));

    assert_eq!(world.uploads().await, 0);
    let stored = "SELECT CONCAT_WS(' ', size_bytes, duration_ms, width, height) FROM videos";
    let size = files::mp4().len();
    assert_eq!(
        world.database.value::<String>(stored).await,
        format!("{size} 1000 180 320")
    );
}

#[tokio::test]
async fn pages_and_counts_tell_what_was_published() {
    let world = World::set_up().await;
    let first = world.published("one").await;
    let second = world.published("two").await;
    let third = world.published("three").await;
    let page = world.service.feed(feed(None, 2)).await.unwrap();
    assert_eq!(titles(&page.videos), ["three", "two"]);
    let page = world
        .service
        .feed(feed(Some(second.published_ms), 2))
        .await
        .unwrap();
    assert_eq!(titles(&page.videos), ["one"]);

    let list = async |before, limit| {
        let request = ListByAuthorRequest {
            author_id: AUTHOR,
            before,
            limit,
            is_own: None,
        };
        world.service.list_by_author(request).await
    };
    let page = list(None, 2).await.unwrap();
    assert_eq!(
        (titles(&page.videos), page.has_more),
        (vec!["three", "two"], true)
    );
    assert_eq!(page.next_before, Some(second.video_id));
    let page = list(page.next_before, 2).await.unwrap();
    assert_eq!((titles(&page.videos), page.has_more), (vec!["one"], false));
    assert_eq!(page.next_before, None);
    assert_eq!(list(Some(first.video_id), 2).await.unwrap().videos, []);
    // A place need not be a video's.
    let page = list(Some(third.video_id + 1), 1).await.unwrap();
    assert_eq!(titles(&page.videos), ["three"]);

    let request = MGetVideosRequest {
        video_ids: vec![first.video_id, third.video_id, third.video_id + 1],
        viewer_id: None,
    };
    let mut videos = world.service.mget_videos(request).await.unwrap().videos;
    videos.sort_by_key(|video| video.id);
    assert_eq!(titles(&videos), ["one", "three"]);
    let request = MGetAuthorsRequest {
        video_ids: vec![first.video_id, third.video_id + 1],
    };
    let authors = world
        .service
        .mget_authors(request)
        .await
        .unwrap()
        .author_ids;
    assert_eq!(
        authors.into_iter().collect::<Vec<_>>(),
        [(first.video_id, AUTHOR)]
    );
}

#[tokio::test]
async fn files_that_are_no_whole_video_are_refused_and_nothing_stays() {
    let world = World::set_up().await;
    let wire = Tripwire::set();
    for (name, file, reason) in [
        ("text", files::text(), "format"),
        ("picture", files::picture(), "format"),
        ("HLS", files::hls(&wire.url("x.ts")), "format"),
        ("audio only", files::audio_only(), "no video stream"),
        (
            "mp4 cut, index in front",
            files::cut_short(files::mp4()),
            "cut short",
        ),
        (
            "mp4 cut, index at the end",
            files::cut_short(files::mp4_moov_at_end()),
            "cut short",
        ),
        ("webm cut", files::cut_short(files::webm()), "cut short"),
        ("mkv cut", files::cut_short(files::mkv()), "cut short"),
    ] {
        let request = world.upload(file).await;
        let (code, words) = refused(world.service.publish(request).await);
        assert_eq!(code, Code::NOT_A_VIDEO, "{name}: {words}");
        assert!(words.contains(reason), "{name}: {words}");
        world.assert_nothing_stays(name).await;
    }
    assert_eq!(wire.visits(), 0);
}

#[tokio::test]
async fn an_upload_whose_object_is_missing_or_of_another_size_is_refused_and_nothing_stays() {
    let world = World::set_up().await;
    let mut request = world.upload(files::mp4()).await;
    request.size_bytes += 1;
    assert_eq!(
        refused(world.service.publish(request).await).0,
        Code::BAD_PARAMETER
    );
    world.assert_nothing_stays("another size").await;

    let key = world.begin(UploadKind::SINGLE).await.object_key;
    let missing = world.service.publish(publish(&key, 10)).await;
    assert_eq!(refused(missing).0, Code::BAD_PARAMETER);
    world.assert_nothing_stays("no object").await;

    let key = world.begin(UploadKind::MULTIPART).await.object_key;
    let unfinished = world.service.publish(publish(&key, 10)).await;
    assert_eq!(refused(unfinished).0, Code::BAD_PARAMETER);
    world.assert_nothing_stays("unfinished").await;
}

/// The list of unfinished uploads of a key, which whoever removes an upload asks for.
fn lists_uploads(head: &str) -> bool {
    let line = head.lines().next().unwrap_or_default();
    line.starts_with("GET ") && line.contains("uploads=")
}

#[tokio::test]
async fn whatever_step_fails_nothing_stays() {
    let world = World::set_up().await;
    // Every store request of that step fails, from a first one on; what takes the upload back gets through.
    type Fails = fn(&str) -> bool;
    let steps: [(&str, Fails); 3] = [
        ("size", |head| head.starts_with("HEAD ")),
        ("whole object", |head| {
            head.starts_with("GET ") && !head.contains("Lavf") && !lists_uploads(head)
        }),
        ("probe and cover", |head| head.contains("Lavf")),
    ];
    for (step, fails) in steps {
        let saboteur = Saboteur::before(&environment::s3_endpoint(), fails).await;
        let service = world.service_by(saboteur.url());
        let request = world.upload(files::mp4()).await;
        let (code, words) = refused(service.publish(request).await);
        let expected = (Code::UNAVAILABLE, "the service is unavailable");
        assert_eq!((code, words.as_str()), expected, "{step}");
        assert!(saboteur.cuts() > 0, "{step}");
        world.assert_nothing_stays(step).await;
    }
}

#[tokio::test]
async fn a_cover_that_cannot_be_taken_for_want_of_the_store_leaves_nothing() {
    let world = World::set_up().await;
    // The probe of a small file is one request; what follows is the cover's.
    let seen = AtomicUsize::new(0);
    let saboteur = Saboteur::before(&environment::s3_endpoint(), move |head| {
        head.contains("Lavf") && seen.fetch_add(1, Ordering::Relaxed) > 0
    })
    .await;
    let service = world.service_by(saboteur.url());
    let request = world.upload(files::mp4()).await;
    assert_eq!(refused(service.publish(request).await).0, Code::UNAVAILABLE);
    assert!(saboteur.cuts() > 0);
    world.assert_nothing_stays("cover").await;
}

#[tokio::test]
async fn a_row_that_the_database_refuses_leaves_nothing() {
    let world = World::set_up().await;
    world
        .database
        .execute("ALTER TABLE videos MODIFY title VARCHAR(3) NOT NULL")
        .await;
    let request = world.upload(files::mp4()).await;
    let (code, words) = refused(world.service.publish(request).await);
    // The cause is for the log alone.
    let expected = (Code::INTERNAL, "the service failed");
    assert_eq!((code, words.as_str()), expected);
    world.assert_nothing_stays("row").await;
}

#[tokio::test]
async fn an_upload_that_cannot_be_taken_back_keeps_its_row() {
    let world = World::set_up().await;
    let request = world.upload(files::text()).await;
    let saboteur = Saboteur::before(&environment::s3_endpoint(), |head| {
        head.starts_with("DELETE ")
    })
    .await;
    let service = world.service_by(saboteur.url());
    let outcome = service.publish(request.clone()).await;
    assert_eq!(
        refused(outcome).0,
        Code::NOT_A_VIDEO,
        "the reason is told all the same"
    );
    assert_eq!(world.uploads().await, 1);
    assert_eq!(world.bucket.keys().await, [request.object_key.as_str()]);
    // It can't be published any more, only taken back.
    let again = world.service.publish(request.clone()).await;
    assert_eq!(refused(again).0, Code::BAD_PARAMETER);
    world
        .service
        .abort_upload(abort(&request.object_key))
        .await
        .unwrap();
    world.assert_nothing_stays("afterwards").await;
}

#[tokio::test]
async fn a_store_that_is_down_is_told_and_the_row_stays() {
    let world = World::set_up().await;
    let request = world.upload(files::mp4()).await;
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let service = world.service_by(closed);
    assert_eq!(refused(service.publish(request).await).0, Code::UNAVAILABLE);
    assert_eq!(world.uploads().await, 1);
}

#[tokio::test]
async fn only_its_author_can_publish_or_abort_an_upload() {
    let world = World::set_up().await;
    let own = world.upload(files::mp4()).await;
    let mut theirs = own.clone();
    theirs.author_id = STRANGER;
    assert_eq!(
        refused(world.service.publish(theirs).await).0,
        Code::BAD_PARAMETER
    );
    let mut theirs = abort(&own.object_key);
    theirs.author_id = STRANGER;
    world.service.abort_upload(theirs).await.unwrap();
    world.service.publish(own).await.unwrap();
}

#[tokio::test]
async fn a_key_that_names_no_upload_is_refused() {
    let world = World::set_up().await;
    for key in [
        "x",
        "videos/x.mp4",
        "videos/01890a5d-ac96-774b-bcce-b302099a8057.mp4",
    ] {
        let outcome = world.service.publish(publish(key, 10)).await;
        assert_eq!(refused(outcome).0, Code::BAD_PARAMETER, "{key}");
        world.service.abort_upload(abort(key)).await.unwrap();
    }
}

#[tokio::test]
async fn aborting_removes_object_parts_and_row_and_may_be_repeated() {
    let world = World::set_up().await;
    let single = world.upload(files::mp4()).await.object_key;
    let multipart = world.begin(UploadKind::MULTIPART).await;
    assert!(multipart.upload_id.is_some());
    let key = &multipart.object_key;
    assert!(world.bucket.has_open_upload(key).await);
    for _ in 0..2 {
        for key in [&single, key] {
            world.service.abort_upload(abort(key)).await.unwrap();
        }
        world.assert_nothing_stays("aborted").await;
        assert!(!world.bucket.has_open_upload(key).await);
    }
}

#[tokio::test]
async fn an_upload_that_was_begun_without_its_id_being_recorded_is_aborted_by_its_key() {
    let world = World::set_up().await;
    let key = world.begin(UploadKind::MULTIPART).await.object_key;
    // As if the process had been killed in between, after it had begun twice.
    let again = world.store.begin_multipart(&key, "video/mp4").await;
    again.unwrap();
    let forget = "UPDATE uploads SET upload_id = NULL";
    world.database.execute(forget).await;
    let longer = format!("{key}.mp4");
    let other = world.store.begin_multipart(&longer, "video/mp4").await;
    world.service.abort_upload(abort(&key)).await.unwrap();
    assert!(!world.bucket.has_open_upload(&key).await);
    assert_eq!(world.uploads().await, 0);
    // Its key only begins like the other's.
    assert!(world.bucket.has_open_upload(&longer).await);
    world
        .store
        .abort_multipart(&longer, &other.unwrap())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_published_video_cannot_be_aborted_or_published_again() {
    let world = World::set_up().await;
    let request = world.upload(files::mp4()).await;
    world.service.publish(request.clone()).await.unwrap();
    let objects = world.bucket.keys().await;
    assert_eq!(objects.len(), 3, "video and covers");
    world
        .service
        .abort_upload(abort(&request.object_key))
        .await
        .unwrap();
    let again = world.service.publish(request).await;
    assert_eq!(refused(again).0, Code::BAD_PARAMETER);
    assert_eq!(world.bucket.keys().await, objects);
    assert_eq!(world.works().await.len(), 1);
}

#[tokio::test]
async fn of_publishes_and_aborts_at_the_same_time_one_wins() {
    let world = World::set_up().await;
    for round in 0..6 {
        let request = world.upload(files::mp4()).await;
        let key = request.object_key.clone();
        let aborts = async {
            eventually(SOON, "a publish at this step", async || {
                // One that is over has passed the step unseen.
                let is_there = world.uploads().await == 0
                    || match round % 3 {
                        0 => true,
                        1 => processes_naming(&key) > 0,
                        _ => world.bucket.keys().await.len() > 1,
                    };
                is_there.then_some(())
            })
            .await;
            world.service.abort_upload(abort(&key)).await
        };
        let (first, second, aborted) = tokio::join!(
            world.service.publish(request.clone()),
            world.service.publish(request.clone()),
            aborts,
        );
        aborted.unwrap();
        let winners = [first, second]
            .iter()
            .filter(|outcome| outcome.is_ok())
            .count();
        assert!(winners <= 1, "round {round}");
        let works = world.works().await;
        assert_eq!(works.len(), winners, "round {round}");
        assert_eq!(
            world.bucket.keys().await.len(),
            3 * winners,
            "round {round}"
        );
        assert_eq!(world.uploads().await, 0, "round {round}");
        world.database.execute("DELETE FROM videos").await;
        for key in world.bucket.keys().await {
            world.store.delete(&key).await.unwrap();
        }
    }
}

#[tokio::test]
async fn the_key_tells_the_container_and_is_complete_by_the_server() {
    let world = World::set_up().await;
    for (container, extension) in [
        (Container::MP4, "mp4"),
        (Container::QUICKTIME, "mov"),
        (Container::WEBM, "webm"),
        (Container::MATROSKA, "mkv"),
    ] {
        let request = BeginUploadRequest {
            author_id: AUTHOR,
            kind: UploadKind::SINGLE,
            container,
        };
        let begun = world.service.begin_upload(request).await.unwrap();
        assert_eq!(begun.upload_id, None);
        let name = begun.object_key.strip_prefix("videos/").unwrap();
        let (id, found) = name.split_once('.').unwrap();
        assert_eq!(found, extension);
        assert_eq!(uuid::Uuid::parse_str(id).unwrap().get_version_num(), 7);
    }
    assert_eq!(world.uploads().await, 4);
}
