//! A publish that is retried makes one video: with an idempotency key, and after a lost answer of the database.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use idl::{
    base::Code,
    video::{PublishRequest, VideoService as _},
};
use settings::Secret;
use testkit::{Replicated, media as files};

use crate::support::{
    Saboteur,
    world::{World, refused},
};

/// Nobody listens there.
const NO_REDIS: &str = "redis://127.0.0.1:1";

/// An upload of its own of the same file.
async fn keyed(world: &World, key: &str) -> PublishRequest {
    let mut request = world.upload(files::mp4()).await;
    request.idempotency_key = Some(key.to_owned().into());
    request
}

async fn assert_one_video(world: &World) {
    assert_eq!(world.works().await.len(), 1);
    assert_eq!(world.bucket.keys().await.len(), 3, "a video and its covers");
    assert_eq!(world.uploads().await, 0);
}

#[tokio::test]
async fn a_repeated_publish_gives_the_first_video_and_keeps_nothing_of_the_second_upload() {
    let world = World::set_up().await;
    let first = keyed(&world, "k").await;
    let made = world.service.publish(first.clone()).await.unwrap();
    let again = world.service.publish(keyed(&world, "k").await).await;
    assert_eq!(again.unwrap(), made);
    assert_one_video(&world).await;
    // The same upload again: it is a video now, and no upload any more.
    let same = world.service.publish(first).await;
    assert_eq!(refused(same).0, Code::BAD_PARAMETER);
    assert_one_video(&world).await;
}

#[tokio::test]
async fn of_publishes_with_one_key_at_the_same_time_one_happens_and_both_are_told_of_it() {
    let world = World::set_up().await;
    let (one, two) = (keyed(&world, "k").await, keyed(&world, "k").await);
    let (one, two) = tokio::join!(world.service.publish(one), world.service.publish(two));
    assert_eq!(one.unwrap(), two.unwrap());
    assert_one_video(&world).await;
}

#[tokio::test]
async fn a_key_that_came_with_another_title_or_file_is_refused_and_nothing_stays() {
    let world = World::set_up().await;
    world
        .service
        .publish(keyed(&world, "k").await)
        .await
        .unwrap();
    let mut title = keyed(&world, "k").await;
    title.title = "A run".into();
    let mut file = keyed(&world, "k").await;
    file.sha256 = "1".repeat(64).into();
    for other in [title, file] {
        let refusal = refused(world.service.publish(other).await);
        assert_eq!(refusal.0, Code::IDEMPOTENCY_KEY_REUSED);
    }
    assert_one_video(&world).await;
}

#[tokio::test]
async fn a_publish_that_was_refused_leaves_its_key_free() {
    let world = World::set_up().await;
    let mut text = world.upload(files::text()).await;
    text.idempotency_key = Some("k".into());
    refused(world.service.publish(text).await);
    let request = keyed(&world, "k").await;
    world.service.publish(request).await.unwrap();
    assert_one_video(&world).await;
}

/// The statement that commits a publish.
fn commits(sent: &str) -> bool {
    sent.contains("COMMIT") && sent.contains("INTO ledger")
}

#[tokio::test]
async fn a_commit_whose_answer_is_lost_is_asked_for_again_and_found() {
    let world = World::set_up().await;
    let is_cut = AtomicBool::new(false);
    let first = move |sent: &str| commits(sent) && !is_cut.swap(true, Ordering::Relaxed);
    let saboteur = Saboteur::after(&world.primary(), first).await;
    let service = world.service_with_primary(saboteur.address());
    let request = world.upload(files::mp4()).await;
    let published = service.publish(request).await.unwrap();
    assert_eq!(saboteur.cuts(), 1);
    assert_eq!(world.works().await[0].id, published.video_id);
    assert_one_video(&world).await;
}

#[tokio::test]
async fn while_it_is_unknown_whether_the_row_is_stored_nothing_is_undone() {
    let world = World::set_up().await;
    let saboteur = Saboteur::before(&world.primary(), commits).await;
    let service = world.service_with_primary(saboteur.address());
    let request = world.upload(files::mp4()).await;
    let outcome = service.publish(request.clone()).await;
    assert_eq!(refused(outcome).0, Code::UNAVAILABLE);
    assert_eq!(saboteur.cuts(), 1);
    let objects = world.bucket.keys().await.len();
    assert_eq!(objects, 4, "the upload, and a video with its covers");
    assert_eq!(world.uploads().await, 2);
    // It was not stored: the upload is as good as before.
    world.service.publish(request).await.unwrap();
    assert_eq!(world.reap().await.uploads, 1, "what the first had derived");
    assert_one_video(&world).await;
}

#[tokio::test]
async fn an_unknown_publish_is_found_by_its_key() {
    let world = World::set_up().await;
    // The commit's answer is lost, and nobody can be asked about it.
    let commits_seen = AtomicUsize::new(0);
    let saboteur = Saboteur::after(&world.primary(), move |sent| {
        if commits(sent) {
            commits_seen.fetch_add(1, Ordering::Relaxed);
        }
        commits_seen.load(Ordering::Relaxed) > 0
    })
    .await;
    let service = world.service_with_primary(saboteur.address());
    let first = service.publish(keyed(&world, "k").await).await;
    assert_eq!(refused(first).0, Code::UNAVAILABLE);
    let again = world.service.publish(keyed(&world, "k").await).await;
    let works = world.works().await;
    assert_eq!(works[0].id, again.unwrap().video_id);
    assert_eq!(world.reap().await.uploads, 1, "the first one's original");
    assert_one_video(&world).await;
}

#[tokio::test]
async fn a_publish_that_is_stored_and_that_readers_may_miss_is_not_acknowledged() {
    let servers = Replicated::start(1).await;
    let world = World::with(|settings| {
        settings.mysql.primary_url = Secret::new(servers.url(0));
        settings.mysql.replica_urls = vec![Secret::new(servers.url(1))];
        settings.mysql.migrate_url = Secret::new(servers.url(0));
        settings.redis.url = Secret::new(NO_REDIS);
    })
    .await;
    let service = world.service_with_marks();
    servers.caught_up(0, 1).await;
    servers.delay(1, 60).await;
    let first = service.publish(keyed(&world, "k").await).await;
    // No mark leads readers to the primary, and the replica lacks it.
    assert_eq!(refused(first).0, Code::UNAVAILABLE);
    let works = world.works().await;
    assert_eq!(works.len(), 1, "it is stored");
    assert_eq!(world.bucket.keys().await.len(), 4, "nothing is undone");
    servers.delay(1, 0).await;
    servers.caught_up(0, 1).await;
    let again = service.publish(keyed(&world, "k").await).await;
    assert_eq!(again.unwrap().video_id, works[0].id);
}
