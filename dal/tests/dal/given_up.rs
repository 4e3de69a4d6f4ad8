//! Likes that were given up are not carried out later.

use std::time::Duration;

use dal::{
    DalError, Db,
    counts::{self, Counter},
    favorites::{FavoriteOp, Favorites},
};
use sea_orm::ConnectionTrait;
use testkit::{Database, TcpProxy};

use crate::fixture::{self, like, unlike};

/// Far more pairs than workers: each of them has some.
const SOME: std::ops::Range<i64> = 100..116;

async fn is_liked(database: &Database) -> bool {
    let sql = "SELECT COUNT(*) FROM favorites WHERE user_id = 1 AND video_id = 7";
    database.value::<i64>(sql).await == 1
}

/// Whatever was queued before is settled when this returns.
async fn settled(favorites: &Favorites) {
    let likes = SOME.map(|n| {
        let favorites = favorites.clone();
        async move {
            testkit::eventually(Duration::from_secs(30), "a like", async || {
                favorites.set(like(n, 8)).await.ok()
            })
            .await
        }
    });
    futures::future::join_all(likes).await;
}

/// Two threads: what waits is still being written when the database is dropped, which waits for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_op_whose_caller_gave_up_in_the_queue_does_not_undo_what_came_after() {
    let (database, db) = fixture::migrated().await;
    let favorites = Favorites::start(db.clone(), fixture::without_redis(&db));
    let elsewhere = Favorites::start(db.clone(), fixture::without_redis(&db));
    let mut one = sea_orm::ConnectOptions::new(database.primary_url());
    one.max_connections(1);
    let holder = sea_orm::Database::connect(one).await.unwrap();
    holder
        .execute_unprepared("LOCK TABLES favorites WRITE")
        .await
        .unwrap();
    let waiting: Vec<_> = SOME
        .map(|n| {
            let favorites = favorites.clone();
            tokio::spawn(async move { favorites.set(like(n, 7)).await })
        })
        .collect();
    // Behind a batch that waits for the table.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let given_up = favorites.set_within(like(1, 7), Duration::from_millis(500));
    assert!(matches!(given_up.await, Err(DalError::TimedOut)));
    holder.close().await.unwrap();
    assert!(!elsewhere.set(unlike(1, 7)).await.unwrap());
    for like in waiting {
        let _ = like.await.unwrap();
    }
    settled(&favorites).await;
    assert!(!is_liked(&database).await);
}

#[tokio::test]
async fn a_commit_that_arrives_after_its_deadline_is_refused_by_the_primary() {
    let (database, direct) = fixture::migrated().await;
    let url = database.primary_url();
    let (account, rest) = url.rsplit_once('@').unwrap();
    let (address, name) = rest.split_once('/').unwrap();
    let proxy = TcpProxy::to(address).await;
    let far = format!("{account}@{}/{name}", proxy.address());
    let far = Db::connect(&fixture::mysql(&far, &[])).unwrap();
    let favorites = Favorites::start(far.clone(), fixture::without_redis(&far));
    let elsewhere = Favorites::start(direct.clone(), fixture::without_redis(&direct));
    let count = async || {
        let counter = Counter::VideoFavorites(7);
        counts::exact(&direct, &[counter]).await.unwrap()[&counter]
    };
    // The like never comes to be; then an unlike of what is there.
    for (op, opposite) in [(like(1, 7), unlike(1, 7)), (unlike(1, 7), like(1, 7))] {
        let FavoriteOp { liked, .. } = op;
        if !liked {
            elsewhere.set(opposite).await.unwrap();
        }
        settled(&favorites).await;
        // Sent in time, all in one message, it arrives too late.
        proxy.delay_requests(Duration::from_millis(2500));
        let given_up = favorites.set_within(op, Duration::from_millis(1800)).await;
        assert!(matches!(given_up, Err(DalError::TimedOut)), "{given_up:?}");
        // Waits for the row until the primary has heard of the end of the other.
        assert!(!elsewhere.set(opposite).await.unwrap(), "{op:?}");
        assert_eq!(is_liked(&database).await, !liked);
        assert_eq!(count().await, i64::from(!liked));
        proxy.delay_requests(Duration::ZERO);
    }
    assert!(
        dal::reconcile::differences(&direct)
            .await
            .unwrap()
            .is_empty()
    );
}
