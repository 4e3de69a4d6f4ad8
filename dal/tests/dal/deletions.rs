//! Deletions: of a write and a deletion at once, in either order, nothing stays; sweeps are bounded, and counts follow.

use std::time::Duration;

use dal::{
    DalError, Db, Deleted, Reader,
    comments::{self, Comments, DeleteComment, NewComment},
    counts::{self, Counter},
    deletions::{self, Begun, By},
    favorites::{self, Favorites},
    jobs, orphans, reconcile, uploads,
    videos::{self, NewVideo, Outcome},
};
use futures::future::join_all;
use telemetry::cost;
use testkit::{Database, Held, eventually};

use crate::{
    fixture::{self, author_of, like, unlike},
    stage::PATIENCE,
};

const VIDEO: i64 = 7;

/// A database in which somebody likes the video and somebody comments on it, and who writes there.
async fn scene() -> (Database, Db, Favorites, Comments) {
    let (database, db) = fixture::migrated().await;
    let counters = fixture::without_redis(&db);
    let favorites = Favorites::start(db.clone(), counters.clone());
    let comments = Comments::start(db.clone(), counters);
    favorites.set(like(1, VIDEO)).await.unwrap();
    favorites.set(like(1, VIDEO + 1)).await.unwrap();
    comments.add(comment(1, VIDEO)).await.unwrap();
    (database, db, favorites, comments)
}

fn comment(user_id: i64, video_id: i64) -> NewComment {
    NewComment {
        video_id,
        user_id,
        content: "好".to_owned(),
        key: None,
    }
}

async fn count(db: &Db, counter: Counter) -> i64 {
    counts::exact(db, &[counter]).await.unwrap()[&counter]
}

/// Nobody can append to the ledger, so whoever writes is held up behind its row and before its look for a tombstone.
async fn no_ledger(database: &Database) -> Held {
    database.hold("LOCK TABLES ledger READ").await
}

/// Waits until so many statements wait for a lock of a table or a row.
async fn wait_for_locks(database: &Database, waiting: i64) {
    let sql = "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() AND info IS NOT NULL \
               AND (state LIKE 'Waiting for table%' OR info LIKE '%FOR UPDATE%') AND id <> CONNECTION_ID()";
    eventually(PATIENCE, "statements that wait for a lock", async || {
        (database.value::<i64>(sql).await >= waiting).then_some(())
    })
    .await;
}

/// All batches of the sweep.
async fn sweep_all(db: &Db, deleted: Deleted) {
    let counters = fixture::without_redis(db);
    while favorites::sweep(db, &counters, deleted, 200).await.unwrap() > 0 {}
    while comments::sweep(db, &counters, deleted, 200).await.unwrap() > 0 {}
}

#[tokio::test]
async fn a_write_that_finds_the_tombstone_of_a_later_deletion_is_refused() {
    let (database, db, favorites, comments) = scene().await;
    let held = no_ledger(&database).await;
    // Its row is in, but not committed, and it hasn't looked yet.
    let (liking, commenting) = (favorites.clone(), comments.clone());
    let liked = tokio::spawn(async move { liking.set(like(2, VIDEO)).await });
    let added = tokio::spawn(async move { commenting.add(comment(2, VIDEO)).await });
    wait_for_locks(&database, 2).await;
    favorites::set_tombstone(&db, Deleted::Video(VIDEO))
        .await
        .unwrap();
    comments::set_tombstone(&db, Deleted::Video(VIDEO))
        .await
        .unwrap();
    drop(held);
    assert!(matches!(liked.await.unwrap(), Err(DalError::NotFound)));
    assert!(matches!(added.await.unwrap(), Err(DalError::NotFound)));
    sweep_all(&db, Deleted::Video(VIDEO)).await;
    assert_nothing_is_left(&database, &db).await;
}

#[tokio::test]
async fn a_sweep_waits_for_a_write_that_looked_before_the_tombstone_was_set() {
    let (database, db, _, _) = scene().await;
    let author_id = author_of(VIDEO);
    // As those who write do, up to the commit: they have looked and found nothing.
    let row = format!(
        "INSERT INTO favorites (user_id, video_id, author_id, liked_us, batch) VALUES (2, {VIDEO}, {author_id}, 5, 0)"
    );
    let under_way = database.hold(&row).await;
    favorites::set_tombstone(&db, Deleted::Video(VIDEO))
        .await
        .unwrap();
    let sweeping = db.clone();
    let sweep = tokio::spawn(async move {
        let counters = fixture::without_redis(&sweeping);
        favorites::sweep(&sweeping, &counters, Deleted::Video(VIDEO), 200).await
    });
    wait_for_locks(&database, 1).await;
    assert!(!sweep.is_finished());
    under_way.commit().await;
    assert_eq!(sweep.await.unwrap().unwrap(), 2);
    let left = format!("SELECT COUNT(*) FROM favorites WHERE video_id = {VIDEO}");
    assert_eq!(database.value::<i64>(&left).await, 0);

    let row = format!(
        "INSERT INTO comments (video_id, user_id, content, created_ms) VALUES ({VIDEO}, 2, 'x', 5)"
    );
    let under_way = database.hold(&row).await;
    comments::set_tombstone(&db, Deleted::Video(VIDEO))
        .await
        .unwrap();
    let sweeping = db.clone();
    let sweep = tokio::spawn(async move {
        let counters = fixture::without_redis(&sweeping);
        comments::sweep(&sweeping, &counters, Deleted::Video(VIDEO), 200).await
    });
    wait_for_locks(&database, 1).await;
    assert!(!sweep.is_finished());
    under_way.commit().await;
    assert_eq!(sweep.await.unwrap().unwrap(), 2);
}

/// Of [`VIDEO`]; the other video is as it was.
async fn assert_nothing_is_left(database: &Database, db: &Db) {
    for table in ["favorites", "comments"] {
        let rows = format!("SELECT COUNT(*) FROM {table} WHERE video_id = {VIDEO}");
        assert_eq!(database.value::<i64>(&rows).await, 0, "{table}");
    }
    for (counter, value) in [
        (Counter::VideoFavorites(VIDEO), 0),
        (Counter::VideoComments(VIDEO), 0),
        (Counter::UserFavorited(author_of(VIDEO)), 0),
        (Counter::UserFavorites(1), 1),
        (Counter::UserFavorites(2), 0),
    ] {
        assert_eq!(count(db, counter).await, value, "{counter:?}");
    }
    assert_eq!(reconcile::differences(db).await.unwrap(), []);
}

#[tokio::test]
async fn who_comes_later_is_refused_alone_whatever_else_is_in_the_batch() {
    let (database, db, favorites, comments) = scene().await;
    favorites::set_tombstone(&db, Deleted::Video(VIDEO))
        .await
        .unwrap();
    comments::set_tombstone(&db, Deleted::Video(VIDEO))
        .await
        .unwrap();
    sweep_all(&db, Deleted::Video(VIDEO)).await;
    // More than are sent unseen, and fewer.
    for users in [100..103, 200..260] {
        let writes =
            users.flat_map(|user_id| [VIDEO, VIDEO + 1].map(|video_id| (user_id, video_id)));
        let writes = writes.map(|(user_id, video_id)| {
            let (favorites, comments) = (favorites.clone(), comments.clone());
            tokio::spawn(async move {
                let liked = favorites.set(like(user_id, video_id)).await;
                let unliked = favorites.set(unlike(user_id + 1000, video_id)).await;
                let added = comments.add(comment(user_id, video_id)).await;
                (video_id, liked, unliked, added)
            })
        });
        for write in join_all(writes.collect::<Vec<_>>()).await {
            let (video_id, liked, unliked, added) = write.unwrap();
            if video_id == VIDEO {
                assert!(matches!(liked, Err(DalError::NotFound)), "{liked:?}");
                assert!(matches!(unliked, Err(DalError::NotFound)), "{unliked:?}");
                assert!(matches!(added, Err(DalError::NotFound)), "{added:?}");
            } else {
                assert_eq!((liked.unwrap(), unliked.unwrap()), (true, false));
                added.unwrap();
            }
        }
    }
    let delete = DeleteComment {
        video_id: VIDEO,
        comment_id: 1,
        user_id: 1,
        video_author_id: 1,
    };
    let deleted = comments.delete(delete).await;
    assert!(matches!(deleted, Err(DalError::NotFound)), "{deleted:?}");
    assert_eq!(count(&db, Counter::VideoFavorites(VIDEO + 1)).await, 64);
    assert_eq!(count(&db, Counter::VideoComments(VIDEO + 1)).await, 63);
    assert_nothing_is_left(&database, &db).await;
}

#[tokio::test]
async fn the_look_for_a_tombstone_costs_no_trip() {
    let (_database, _db, favorites, comments) = scene().await;
    let (mut to_like, mut to_comment) = (u32::MAX, u32::MAX);
    // One kind after the other: a connection that wasn't heard of for a moment costs a trip more.
    for user_id in 10..20 {
        let (liked, spent) = cost::scope(favorites.set(like(user_id, VIDEO))).await;
        liked.unwrap();
        to_like = to_like.min(spent.sql);
    }
    for user_id in 10..20 {
        let (added, spent) = cost::scope(comments.add(comment(user_id, VIDEO))).await;
        added.unwrap();
        to_comment = to_comment.min(spent.sql);
    }
    assert_eq!((to_like, to_comment), (1, 1));
}

#[tokio::test]
async fn a_deleted_user_writes_nothing_and_what_they_wrote_goes_in_bounded_batches() {
    let (_database, db, favorites, comments) = scene().await;
    let writes = (100..350).map(|video_id| {
        let (favorites, comments) = (favorites.clone(), comments.clone());
        tokio::spawn(async move {
            favorites.set(like(2, video_id)).await.unwrap();
            comments.add(comment(2, video_id)).await.unwrap();
        })
    });
    for write in writes.collect::<Vec<_>>() {
        write.await.unwrap();
    }
    let (user, counters) = (Deleted::User(2), fixture::without_redis(&db));
    favorites::set_tombstone(&db, user).await.unwrap();
    comments::set_tombstone(&db, user).await.unwrap();
    let refused = favorites.set(like(2, 90)).await;
    assert!(matches!(refused, Err(DalError::NotFound)), "{refused:?}");
    let refused = comments.add(comment(2, 90)).await;
    assert!(matches!(refused, Err(DalError::NotFound)), "{refused:?}");
    for took in [200, 50, 0] {
        assert_eq!(
            favorites::sweep(&db, &counters, user, 200).await.unwrap(),
            took
        );
        assert_eq!(
            comments::sweep(&db, &counters, user, 200).await.unwrap(),
            took
        );
    }
    assert_eq!(count(&db, Counter::UserFavorites(2)).await, 0);
    assert_eq!(count(&db, Counter::UserFavorites(1)).await, 2);
    let list = favorites::list(&db, 2, None, 10, &Reader::STRICT).await;
    assert!(list.unwrap().entries.is_empty());
    assert_eq!(reconcile::differences(&db).await.unwrap(), []);
}

#[tokio::test]
async fn a_video_is_deleted_by_its_author_alone_and_what_is_left_to_do_is_written_down() {
    let (database, db) = fixture::migrated().await;
    let counters = fixture::without_redis(&db);
    let video = fixture::publish(&db, 5, "k").await;
    let begin = |by| deletions::begin(&db, &counters, video.id, by);
    assert_eq!(begin(By::Author(6)).await.unwrap(), Begun::NotYours);
    assert_eq!(count(&db, Counter::UserWorks(5)).await, 1);
    let Begun::Deletion(deletion) = begin(By::Author(5)).await.unwrap() else {
        panic!("no deletion");
    };
    assert_eq!((deletion.video_id, deletion.author_id), (video.id, 5));
    assert_eq!(deletion.object_keys, ["k", "k.jpg"]);
    assert_eq!(count(&db, Counter::UserWorks(5)).await, 0);
    let there = videos::mget(&db, &[video.id], &Reader::STRICT)
        .await
        .unwrap();
    assert_eq!(there, []);
    // As long as it isn't complete, it is the same deletion; to another there is no such video.
    let again = begin(By::Author(5)).await.unwrap();
    assert_eq!(again, Begun::Deletion(deletion.clone()));
    assert_eq!(begin(By::Author(6)).await.unwrap(), Begun::NoSuchVideo);
    assert_eq!(deletions::pending(&db, 0, 10).await.unwrap(), [deletion]);
    // Likes that are still there refer to nothing that is lost.
    let favorites = Favorites::start(db.clone(), counters.clone());
    favorites.set(like(1, video.id)).await.unwrap();
    let orphans = orphans::find(&db).await.unwrap().named;
    assert!(
        orphans.iter().all(|one| one.refers_to != "videos"),
        "{orphans:?}"
    );
    deletions::finish(&db, video.id).await.unwrap();
    assert_eq!(deletions::pending(&db, 0, 10).await.unwrap(), []);
    let orphans = orphans::find(&db).await.unwrap().named;
    assert!(
        orphans.iter().any(|one| one.refers_to == "videos"),
        "{orphans:?}"
    );
    assert_eq!(begin(By::Author(5)).await.unwrap(), Begun::NoSuchVideo);

    let taken = fixture::publish(&db, 5, "l").await;
    let by = By::Operator("spam".to_owned());
    let begun = deletions::begin(&db, &counters, taken.id, by)
        .await
        .unwrap();
    assert!(matches!(begun, Begun::Deletion(_)));
    let log = "SELECT CONCAT(action, ': ', reason) FROM moderations";
    assert_eq!(database.value::<String>(log).await, "take down video: spam");
}

/// A video of this author that isn't the upload: made of it by a job, or when it was published.
async fn with_derived(db: &Db, author_id: i64, upload: &str, by_job: bool) -> i64 {
    let counters = fixture::without_redis(db);
    let derived = format!("{upload}-derived");
    uploads::record(db, upload, author_id).await.unwrap();
    uploads::record(db, &derived, author_id).await.unwrap();
    let media = fixture::new_video(author_id, &derived).media;
    let new = fixture::new_video(author_id, upload);
    if !by_job {
        let new = NewVideo { media, ..new };
        return videos::publish(db, &counters, &new).await.unwrap().id;
    }
    let outcome = Outcome::Job { max_unfinished: 20 };
    let new = NewVideo { outcome, ..new };
    let video = videos::publish(db, &counters, &new).await.unwrap();
    let job = jobs::claim(db, &counters, upload, PATIENCE).await.unwrap();
    let replaced = jobs::Replaced {
        keep_original: false,
        ttl: Duration::from_secs(3600),
    };
    jobs::finish(db, &counters, &job.unwrap(), &media, replaced)
        .await
        .unwrap();
    video.id
}

#[tokio::test]
async fn an_original_that_was_replaced_and_is_still_stored_goes_with_the_video() {
    let (database, db) = fixture::migrated().await;
    let counters = fixture::without_redis(&db);
    for by_job in [true, false] {
        let video_id = with_derived(&db, 5, "mine", by_job).await;
        let other = with_derived(&db, 5, "other", by_job).await;
        let begun = deletions::begin(&db, &counters, video_id, By::Author(5)).await;
        let Begun::Deletion(deletion) = begun.unwrap() else {
            panic!("no deletion");
        };
        let all = ["mine-derived", "mine-derived.jpg", "mine"];
        assert_eq!(deletion.object_keys, all);
        assert_eq!(deletions::pending(&db, 0, 10).await.unwrap(), [deletion]);
        let left = "SELECT object_key FROM uploads";
        assert_eq!(database.column::<String>(left).await, ["other"]);
        deletions::begin(&db, &counters, other, By::Author(5))
            .await
            .unwrap();
        assert_eq!(database.column::<String>(left).await, [""; 0]);
        for video_id in [video_id, other] {
            deletions::finish(&db, video_id).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_deleted_author_publishes_no_more() {
    let (_database, db) = fixture::migrated().await;
    let counters = fixture::without_redis(&db);
    let video = fixture::publish(&db, 5, "k").await;
    uploads::record(&db, "l", 5).await.unwrap();
    deletions::set_author_tombstone(&db, 5).await.unwrap();
    let refused = videos::publish(&db, &counters, &fixture::new_video(5, "l")).await;
    assert!(matches!(refused, Err(DalError::NotFound)), "{refused:?}");
    assert_eq!(deletions::works(&db, 5, 10).await.unwrap(), [video.id]);
    assert_eq!(count(&db, Counter::UserWorks(5)).await, 1);
}

#[tokio::test]
async fn a_comment_is_taken_down_once_and_logged() {
    let (database, db, _, _) = scene().await;
    let counters = fixture::without_redis(&db);
    for taken in [true, false] {
        let outcome = comments::take_down(&db, &counters, 1, "rude").await;
        assert_eq!(outcome.unwrap(), taken);
    }
    assert_eq!(count(&db, Counter::VideoComments(VIDEO)).await, 0);
    let log =
        "SELECT COUNT(*) FROM moderations WHERE action = 'take down comment' AND reason = 'rude'";
    assert_eq!(database.value::<i64>(log).await, 1);
}
