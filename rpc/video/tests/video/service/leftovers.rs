//! What failed or killed publishes leave behind, and that the reaper removes it.

use std::time::Duration;

use dal::{Db, Lock};
use idl::{
    base::Code,
    video::{UploadKind, VideoService as _},
};
use rpc_video::{Reaped, ReaperTask};
use testkit::{environment, eventually, media as files};
use uuid::Uuid;

use crate::support::{
    Saboteur,
    world::{World, publish, refused},
};

/// By when something that is to happen has happened.
const SOON: Duration = Duration::from_secs(20);
/// Of a day in 2023.
const OLD: &str = "01890a5d-ac96-774b-bcce-b302099a8057";
const AN_HOUR: u64 = 3600;

#[tokio::test]
async fn uploads_that_nobody_published_are_removed_when_they_are_old_enough() {
    let world = World::set_up().await;
    world.upload(files::mp4()).await;
    world.begin(UploadKind::SINGLE).await;
    world.begin(UploadKind::MULTIPART).await;
    let patient = world.reaper_by(environment::s3_endpoint(), AN_HOUR);
    assert_eq!(patient.pass().await.unwrap(), Some(Reaped::default()));
    assert_eq!(world.uploads().await, 3);
    let reaped = world.reap().await;
    let expected = Reaped {
        uploads: 3,
        ..Reaped::default()
    };
    assert_eq!(reaped, expected);
    world.assert_nothing_stays("reaped").await;
}

#[tokio::test]
async fn objects_and_parts_without_a_row_are_removed_and_nothing_else_is() {
    let world = World::set_up().await;
    world.published("kept").await;
    let kept = world.bucket.keys().await;
    let (young, strange) = (format!("videos/{}.mp4", Uuid::now_v7()), "videos/x.mp4");
    for key in [
        &format!("videos/{OLD}.mp4"),
        &format!("covers/{OLD}.jpg"),
        &young,
        strange,
    ] {
        world.bucket.put(key, files::text()).await;
    }
    let part = format!("videos/{OLD}.mov");
    let open = world.store.begin_multipart(&part, "video/quicktime").await;
    let open = open.unwrap();
    // Where the store doesn't tell of it, the store itself removes it.
    let parts = u64::from(environment::store_lists_uploads());

    let reaper = world.reaper_by(environment::s3_endpoint(), AN_HOUR);
    let expected = Reaped {
        objects: 2,
        parts,
        noted: 2 + parts,
        ..Reaped::default()
    };
    assert_eq!(reaper.pass().await.unwrap(), Some(expected));
    let mut left = [kept.clone(), vec![young, strange.to_owned()]].concat();
    left.sort();
    assert_eq!(world.bucket.keys().await, left);
    assert_eq!(world.bucket.has_open_upload(&part).await, parts == 0);
    world.store.abort_multipart(&part, &open).await.unwrap();
    // The young one comes of age.
    let expected = Reaped {
        objects: 1,
        noted: 1,
        ..Reaped::default()
    };
    assert_eq!(world.reap().await, expected);
    assert_eq!(world.works().await.len(), 1);
}

#[tokio::test]
async fn a_reaper_goes_on_from_where_it_was_and_misses_nothing() {
    let world = World::set_up().await;
    let reaper = world.reaper_by(environment::s3_endpoint(), 0);
    for _ in 0..3 {
        let keys: Vec<String> = (0..3)
            .map(|_| format!("videos/{}.mp4", Uuid::now_v7()))
            .collect();
        for key in &keys {
            world.bucket.put(key, files::text()).await;
        }
        world.published("kept").await;
        let reaped = reaper.pass().await.unwrap().unwrap();
        assert_eq!((reaped.objects, reaped.failed), (3, 0));
    }
    assert_eq!(world.bucket.keys().await.len(), 3 * 3);
}

#[tokio::test]
async fn what_the_store_does_not_remove_keeps_its_row_until_it_does() {
    let world = World::set_up().await;
    world.upload(files::mp4()).await;
    let saboteur = Saboteur::before(&environment::s3_endpoint(), |head| {
        head.starts_with("DELETE ")
    })
    .await;
    let reaper = world.reaper_by(saboteur.url(), 0);
    let reaped = reaper.pass().await.unwrap().unwrap();
    assert_eq!((reaped.uploads, reaped.failed), (0, 1));
    assert_eq!(world.uploads().await, 1);
    assert_eq!(world.reap().await.uploads, 1);
    world.assert_nothing_stays("reaped").await;
}

#[tokio::test]
async fn a_cover_that_may_be_stored_is_left_to_the_reaper_and_the_rest_is_undone() {
    let world = World::set_up().await;
    let is_cover = |head: &str| head.starts_with("PUT ") && head.contains("/covers/");
    for saboteur in [
        Saboteur::before(&environment::s3_endpoint(), is_cover).await,
        Saboteur::after(&environment::s3_endpoint(), is_cover).await,
    ] {
        let service = world.service_by(saboteur.url());
        let request = world.upload(files::mp4()).await;
        let (code, words) = refused(service.publish(request.clone()).await);
        let expected = (Code::UNAVAILABLE, "the service is unavailable");
        assert_eq!((code, words.as_str()), expected);
        assert!(saboteur.cuts() > 0);
        assert_eq!(world.bucket.keys().await, [""; 0]);
        // The upload's row, and that of what was derived from it.
        assert_eq!(world.uploads().await, 2);
        let again = world.service.publish(request).await;
        assert_eq!(refused(again).0, Code::BAD_PARAMETER, "it is being removed");
        assert_eq!(world.reap().await.uploads, 2);
        world.assert_nothing_stays("reaped").await;
    }
}

#[tokio::test]
async fn an_upload_older_than_the_deadline_comes_too_late_and_is_the_reapers() {
    let world = World::set_up().await;
    let key = format!("videos/{OLD}.mp4");
    world
        .database
        .execute(&format!(
            "INSERT INTO uploads (object_key, author_id) VALUES ('{key}', {})",
            crate::support::world::AUTHOR
        ))
        .await;
    let (code, _) = refused(world.service.publish(publish(&key, 10)).await);
    assert_eq!(code, Code::TIMED_OUT);
    assert_eq!(world.uploads().await, 1);
}

#[tokio::test]
async fn one_reaps_at_a_time_and_the_background_one_stops_when_told() {
    let world = World::set_up().await;
    world.upload(files::mp4()).await;
    let db = Db::connect(&world.settings.mysql).unwrap();
    let lock = Lock::take(&db, "reaper").await.unwrap().expect("the lock");
    let reaper = world.reaper_by(environment::s3_endpoint(), 0);
    assert_eq!(reaper.pass().await.unwrap(), None);
    lock.release().await;
    let settings = settings::Reaper {
        age_s: 0,
        period_s: 1,
        unknown_age_s: 0,
    };
    let reaper_task = ReaperTask::start(reaper, &settings);
    let limit = Duration::from_secs(20);
    eventually(limit, "the background reaper", async || {
        (world.uploads().await == 0).then_some(())
    })
    .await;
    reaper_task.stop().await;
    world.assert_nothing_stays("reaped").await;
}

#[tokio::test]
async fn a_stop_does_not_wait_for_the_rest_of_a_pass() {
    let world = World::set_up().await;
    // Of each the reaper would wait for 6 s.
    for _ in 0..10 {
        world.upload(files::text()).await;
    }
    let silent = Saboteur::silent(&environment::s3_endpoint(), |head| {
        head.starts_with("DELETE ")
    })
    .await;
    let reaper = world.reaper_by(silent.url(), 0);
    let settings = settings::Reaper {
        age_s: 0,
        period_s: 1,
        unknown_age_s: 0,
    };
    let reaper_task = ReaperTask::start(reaper, &settings);
    eventually(SOON, "a pass that waits for the store", async || {
        (silent.cuts() > 0).then_some(())
    })
    .await;
    tokio::time::timeout(SOON, reaper_task.stop())
        .await
        .expect("the end of the task");
    assert_eq!(world.uploads().await, 10);
    // The lock ends with its connection, a moment later.
    let reaper = world.reaper_by(environment::s3_endpoint(), 0);
    let reaped = eventually(SOON, "the lock", async || reaper.pass().await.unwrap()).await;
    assert_eq!((reaped.uploads, reaped.failed), (10, 0));
    world.assert_nothing_stays("reaped").await;
}
