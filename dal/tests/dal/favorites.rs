//! Likes: group commit, idempotency, lists, and what is counted.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use dal::{
    DalError, Db, Reader,
    counts::{self, Counter},
    favorites::{self, Favorites},
    users,
};
use futures::FutureExt as _;
use sea_orm::{ConnectionTrait, TransactionTrait};
use telemetry::cost;
use testkit::Database;

use crate::fixture::{self, author_of, like, unlike};

async fn start() -> (Database, Db, Favorites) {
    let (database, db) = fixture::migrated().await;
    let favorites = Favorites::start(db.clone(), fixture::without_redis(&db));
    (database, db, favorites)
}

/// The three counts that one like moves.
async fn counted(db: &Db, user_id: i64, video_id: i64) -> [i64; 3] {
    let counters = [
        Counter::VideoFavorites(video_id),
        Counter::UserFavorites(user_id),
        Counter::UserFavorited(author_of(video_id)),
    ];
    let exact = counts::exact(db, &counters).await.unwrap();
    counters.map(|counter| exact[&counter])
}

#[tokio::test]
async fn only_a_row_that_changed_is_counted() {
    let (_database, db, favorites) = start().await;
    for (op, changes, count) in [
        (unlike(1, 7), false, 0),
        (like(1, 7), true, 1),
        (like(1, 7), false, 1),
        (unlike(1, 7), true, 0),
        (unlike(1, 7), false, 0),
        (like(1, 7), true, 1),
    ] {
        assert_eq!(favorites.set(op).await.unwrap(), changes, "{op:?}");
        assert_eq!(counted(&db, 1, 7).await, [count; 3], "{op:?}");
    }
    favorites.set(like(2, 7)).await.unwrap();
    favorites.set(like(1, 10)).await.unwrap();
    assert_eq!(counted(&db, 1, 7).await, [2, 2, 3]);
}

#[tokio::test]
async fn the_list_is_the_latest_like_first_and_a_repeated_like_keeps_its_place() {
    let (_database, db, favorites) = start().await;
    for video_id in [5, 9, 3, 8, 1] {
        favorites.set(like(1, video_id)).await.unwrap();
        favorites.set(like(2, video_id + 1)).await.unwrap();
    }
    favorites.set(like(1, 9)).await.unwrap();
    let page = async |before, limit| {
        favorites::list(&db, 1, before, limit, &Reader::STRICT)
            .await
            .unwrap()
    };
    let all = page(None, 300).await;
    assert_eq!((all.entries, all.next_before), (vec![1, 8, 3, 9, 5], None));
    let first = page(None, 2).await;
    assert_eq!(first.entries, [1, 8]);
    let second = page(first.next_before, 2).await;
    assert_eq!(second.entries, [3, 9]);
    let third = page(second.next_before, 2).await;
    assert_eq!((third.entries, third.next_before), (vec![5], None));

    favorites.set(unlike(1, 9)).await.unwrap();
    favorites.set(like(1, 9)).await.unwrap();
    assert_eq!(page(None, 300).await.entries, [9, 1, 8, 3, 5]);
    // Where the second page went on, whatever became of what stood there.
    assert_eq!(page(first.next_before, 300).await.entries, [3, 5]);
    for gone in [1, 8, 3] {
        favorites.set(unlike(1, gone)).await.unwrap();
    }
    assert_eq!(page(first.next_before, 300).await.entries, [5]);
}

#[tokio::test]
async fn which_of_these_videos_a_user_likes() {
    let (_database, db, favorites) = start().await;
    for video_id in [3, 5] {
        favorites.set(like(1, video_id)).await.unwrap();
    }
    favorites.set(like(2, 4)).await.unwrap();
    let asked = favorites::liked_among(&db, 1, &[5, 4, 3, 3, 1], &Reader::STRICT);
    let (liked, spent) = cost::scope(asked).await;
    let mut liked = liked.unwrap();
    liked.sort_unstable();
    assert_eq!((liked, spent.sql), (vec![3, 5], 1));
    let (none, spent) = cost::scope(favorites::liked_among(&db, 1, &[], &Reader::STRICT)).await;
    assert_eq!((none.unwrap(), spent.sql), (vec![], 0));
}

/// The time of the fastest commit of a single row: the disk's own.
async fn fastest_insert(db: &Db, names: std::ops::Range<u32>) -> Duration {
    let mut fastest = Duration::MAX;
    for name in names {
        let started = Instant::now();
        let name = format!("user {name}");
        users::create(db, &name, "hash").await.unwrap();
        fastest = fastest.min(started.elapsed());
    }
    fastest
}

#[tokio::test]
async fn a_lone_like_goes_at_once() {
    let (_database, db, favorites) = start().await;
    let (mut fastest, mut fewest) = (Duration::MAX, u32::MAX);
    let fastest_insert = fastest_insert(&db, 0..15).await;
    for video_id in 0..30 {
        let started = Instant::now();
        let (_, spent) = cost::scope(favorites.set(like(1, video_id))).await;
        fastest = fastest.min(started.elapsed());
        // All in one trip; one more where the connection wasn't heard of for a moment. The first asks for the server's version.
        assert!(video_id == 0 || spent.sql <= 2, "{spent:?}");
        fewest = fewest.min(spent.sql);
    }
    let fastest_insert = fastest_insert.min(self::fastest_insert(&db, 15..30).await);
    println!("a lone like: {fastest:?}, a user: {fastest_insert:?}");
    assert_eq!(fewest, 1);
    assert!(
        fastest < 2 * fastest_insert + Duration::from_millis(10),
        "{fastest:?}, a user {fastest_insert:?}"
    );
}

#[tokio::test]
async fn what_changes_nothing_takes_three_trips_also_beside_what_does() {
    let (_database, _db, favorites) = start().await;
    favorites.set(like(1, 1)).await.unwrap();
    for op in [like(1, 1), unlike(1, 2)] {
        let (changed, spent) = cost::scope(favorites.set(op)).await;
        // Sent as if it changed something; a look; the end. And the connection may have to be tried.
        assert!(!changed.unwrap() && spent.sql <= 4, "{op:?}, {spent:?}");
    }
    let (unlikes, likes) = ([unlike(1, 1), unlike(1, 2)], [like(1, 3), like(2, 3)]);
    let ops = unlikes.into_iter().chain(likes);
    let told = futures::future::join_all(ops.map(|op| cost::scope(favorites.set(op)))).await;
    let changed: Vec<bool> = told
        .into_iter()
        .map(|(changed, spent)| {
            assert!(spent.sql <= 4, "{spent:?}");
            changed.unwrap()
        })
        .collect();
    assert_eq!(changed, [true, false, true, true]);
}

#[tokio::test]
async fn likes_that_make_up_for_each_other_are_committed_all_the_same() {
    let (database, db, favorites) = start().await;
    // Of videos of one author.
    for op in [like(1, 3), like(2, 6)] {
        favorites.set(op).await.unwrap();
    }
    let ops = [unlike(1, 3), like(1, 6), unlike(2, 6), like(2, 3)];
    let told = futures::future::join_all(ops.map(|op| favorites.set(op))).await;
    assert!(told.into_iter().all(|changed| changed.unwrap()));
    let pairs = "SELECT CONCAT(user_id, ' ', video_id) FROM favorites ORDER BY user_id";
    assert_eq!(database.column::<String>(pairs).await, ["1 6", "2 3"]);
    assert_eq!(dal::reconcile::differences(&db).await.unwrap(), []);
}

#[tokio::test]
async fn likes_at_once_share_statements_and_a_commit() {
    let (database, _db, favorites) = start().await;
    favorites.set(like(1, 1)).await.unwrap();
    let likes: Vec<_> = (0..200)
        .map(|n| {
            let favorites = favorites.clone();
            tokio::spawn(cost::scope(async move { favorites.set(like(n, 7)).await }))
        })
        .collect();
    for like in likes {
        let (changed, spent) = like.await.unwrap();
        assert!(changed.unwrap());
        // A large batch looks first for likes that are there, and a connection may have to be tried.
        assert!(spent.sql <= 3, "whatever the size of the batch: {spent:?}");
    }
    let batches: i64 = database
        .value("SELECT COUNT(DISTINCT batch) FROM favorites WHERE video_id = 7")
        .await;
    println!("200 likes in {batches} batches");
    assert!(batches < 60, "{batches} batches");
    // One row of the ledger for the video in each.
    let rows: i64 = database
        .value("SELECT COUNT(*) FROM ledger WHERE kind = 1 AND target_id = 7")
        .await;
    assert_eq!(rows, batches);
}

#[tokio::test]
async fn a_batch_that_is_held_up_holds_up_no_other() {
    let (database, _db, favorites) = start().await;
    let holder = sea_orm::Database::connect(database.primary_url())
        .await
        .unwrap();
    let transaction = holder.begin().await.unwrap();
    let same = "INSERT INTO favorites (user_id, video_id, author_id, liked_us, batch) VALUES (1, 7, 1, 1, 1)";
    transaction.execute_unprepared(same).await.unwrap();
    let held_up = tokio::spawn({
        let favorites = favorites.clone();
        async move { favorites.set(like(1, 7)).await }
    });
    let waiting = "SELECT COUNT(*) FROM information_schema.processlist WHERE db = DATABASE() \
                   AND info LIKE 'INSERT IGNORE INTO favorites%'";
    testkit::eventually(Duration::from_secs(10), "the batch waits", async || {
        (database.value::<i64>(waiting).await > 0).then_some(())
    })
    .await;
    for n in 2..5 {
        assert!(favorites.set(like(n, 8)).await.unwrap());
    }
    assert!(!held_up.is_finished());
    transaction.rollback().await.unwrap();
    assert!(held_up.await.unwrap().unwrap());
    holder.close().await.unwrap();
}

#[tokio::test]
async fn ops_of_one_pair_keep_their_order() {
    let (database, db, favorites) = start().await;
    // Queued in this order, for a call runs up to its first wait when it is polled first.
    let ops = (0..40).map(|n| {
        let op = if n % 2 == 0 { like(1, 7) } else { unlike(1, 7) };
        favorites.set(op)
    });
    for changed in futures::future::join_all(ops).await {
        assert!(changed.unwrap(), "each undoes the one before");
    }
    assert_eq!(counted(&db, 1, 7).await, [0; 3]);
    assert_eq!(
        database
            .value::<i64>("SELECT COUNT(*) FROM favorites")
            .await,
        0
    );
}

#[tokio::test]
async fn what_nobody_waits_for_any_more_is_not_begun() {
    let (_database, db, favorites) = start().await;
    // Queued, and given up before a worker has taken it.
    assert!(favorites.set(like(1, 7)).now_or_never().is_none());
    // Its worker takes the next one of the pair after it.
    assert!(!favorites.set(unlike(1, 7)).await.unwrap());
    assert_eq!(counted(&db, 1, 7).await, [0; 3]);
}

#[tokio::test]
async fn a_bad_row_fails_alone() {
    let (database, db, favorites) = start().await;
    // IGNORE passes over the row without a word; it must not pass for a like.
    database
        .execute("ALTER TABLE favorites ADD CONSTRAINT bad CHECK (video_id <> 666)")
        .await;
    let likes: Vec<_> = (0..100)
        .map(|n| {
            let favorites = favorites.clone();
            let video_id = if n % 10 == 0 { 666 } else { n };
            tokio::spawn(async move { (video_id, favorites.set(like(n, video_id)).await) })
        })
        .collect();
    for like in likes {
        let (video_id, result) = like.await.unwrap();
        match video_id {
            666 => assert!(matches!(result, Err(DalError::Other(_))), "{result:?}"),
            _ => assert!(result.unwrap()),
        }
    }
    let rows: i64 = database.value("SELECT COUNT(*) FROM favorites").await;
    assert_eq!(rows, 90);
    assert!(dal::reconcile::differences(&db).await.unwrap().is_empty());
}

/// Two threads: what waits is still being written when the database is dropped, which waits for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_waiting_likes_are_refused_at_once() {
    let (database, _db, favorites) = start().await;
    let mut one = sea_orm::ConnectOptions::new(database.primary_url());
    one.max_connections(1);
    let holder = sea_orm::Database::connect(one).await.unwrap();
    holder
        .execute_unprepared("LOCK TABLES favorites WRITE")
        .await
        .unwrap();
    let started = Instant::now();
    let calls: Vec<_> = (0..20_000)
        .map(|n| {
            let favorites = favorites.clone();
            tokio::spawn(async move { favorites.set(like(n, 7)).await })
        })
        .collect();
    let mut refused = 0;
    for call in calls {
        match call.await.unwrap() {
            Ok(changed) => panic!("{changed} while nothing can be written"),
            Err(DalError::Unavailable(_)) => refused += 1,
            Err(DalError::TimedOut) => {}
            Err(other) => panic!("{other}"),
        }
    }
    println!(
        "{refused} of 20000 refused, all told in {:?}",
        started.elapsed()
    );
    assert!(refused > 5000, "{refused}");
    assert!(started.elapsed() < Duration::from_secs(20));
    holder.close().await.unwrap();
    testkit::eventually(Duration::from_secs(30), "likes again", async || {
        favorites.set(like(1, 8)).await.ok()
    })
    .await;
}

#[tokio::test]
async fn the_order_of_a_users_likes_is_theirs_also_when_many_like_at_once() {
    let (_database, db, favorites) = start().await;
    let users: Vec<_> = (0..32)
        .map(|user_id| {
            let favorites = favorites.clone();
            tokio::spawn(async move {
                let videos: Vec<i64> = (0..20).map(|n| (n * 7 + user_id) % 20).collect();
                for video_id in &videos {
                    assert!(favorites.set(like(user_id, *video_id)).await.unwrap());
                }
                (user_id, videos)
            })
        })
        .collect();
    for user in users {
        let (user_id, mut videos) = user.await.unwrap();
        videos.reverse();
        let listed = favorites::list(&db, user_id, None, 300, &Reader::STRICT);
        let listed = listed.await.unwrap().entries;
        assert_eq!(listed, videos);
        assert_eq!(listed.iter().collect::<HashSet<_>>().len(), 20);
    }
}
