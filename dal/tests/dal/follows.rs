//! Follows: group commit, idempotency, lists, and what is counted.

use std::{collections::HashSet, time::Duration};

use dal::{
    Db, Reader,
    counts::{self, Counter},
    follows::{self, FollowOp, Follows, Friend},
    reconcile,
};
use futures::future::join_all;
use telemetry::cost;
use testkit::Database;

use crate::fixture;

fn follow(user_id: i64, followed_id: i64) -> FollowOp {
    FollowOp {
        user_id,
        followed_id,
        followed: true,
    }
}

fn unfollow(user_id: i64, followed_id: i64) -> FollowOp {
    FollowOp {
        followed: false,
        ..follow(user_id, followed_id)
    }
}

async fn start() -> (Database, Db, Follows) {
    let (database, db) = fixture::migrated().await;
    let follows = Follows::start(db.clone(), fixture::without_redis(&db));
    (database, db, follows)
}

/// The two counts that one follow moves.
async fn counted(db: &Db, user_id: i64, followed_id: i64) -> [i64; 2] {
    let counters = [
        Counter::UserFollows(user_id),
        Counter::UserFollowers(followed_id),
    ];
    let exact = counts::exact(db, &counters).await.unwrap();
    counters.map(|counter| exact[&counter])
}

#[tokio::test]
async fn only_a_row_that_changed_is_counted() {
    let (_database, db, follows) = start().await;
    for (op, changes, count) in [
        (unfollow(1, 7), false, 0),
        (follow(1, 7), true, 1),
        (follow(1, 7), false, 1),
        (unfollow(1, 7), true, 0),
        (unfollow(1, 7), false, 0),
        (follow(1, 7), true, 1),
    ] {
        assert_eq!(follows.set(op).await.unwrap(), changes, "{op:?}");
        assert_eq!(counted(&db, 1, 7).await, [count; 2], "{op:?}");
    }
    follows.set(follow(2, 7)).await.unwrap();
    follows.set(follow(1, 10)).await.unwrap();
    assert_eq!(counted(&db, 1, 7).await, [2, 2]);
    assert!(reconcile::differences(&db).await.unwrap().is_empty());
}

#[tokio::test]
async fn both_lists_are_the_latest_follow_first_and_page_on_whatever_was_ended() {
    let (_database, db, follows) = start().await;
    for other in [5, 9, 3, 8] {
        follows.set(follow(1, other)).await.unwrap();
        follows.set(follow(other, 1)).await.unwrap();
    }
    // It keeps its place.
    follows.set(follow(1, 9)).await.unwrap();
    let reader = Reader::STRICT;
    let first = follows::list_follows(&db, 1, None, 2, &reader)
        .await
        .unwrap();
    assert_eq!(first.entries, [8, 3]);
    let followers = follows::list_followers(&db, 1, None, 2, &reader)
        .await
        .unwrap();
    assert_eq!(followers.entries, [8, 3]);
    for gone in [3, 8] {
        follows.set(unfollow(1, gone)).await.unwrap();
        follows.set(unfollow(gone, 1)).await.unwrap();
    }
    let rest = follows::list_follows(&db, 1, first.next_before, 2, &reader)
        .await
        .unwrap();
    assert_eq!((rest.entries, rest.next_before), (vec![9, 5], None));
    let rest = follows::list_followers(&db, 1, followers.next_before, 2, &reader)
        .await
        .unwrap();
    assert_eq!((rest.entries, rest.next_before), (vec![9, 5], None));
    follows.set(unfollow(9, 1)).await.unwrap();
    let friends = follows::list_friends(&db, 1, 10, &reader).await.unwrap();
    let who: Vec<i64> = friends
        .iter()
        .map(|Friend { user_id, .. }| *user_id)
        .collect();
    assert_eq!(who, [5]);
    let mut among = follows::followed_among(&db, 1, &[5, 8, 9, 9], &reader)
        .await
        .unwrap();
    among.sort_unstable();
    assert_eq!(among, [5, 9]);
}

#[tokio::test]
async fn a_lone_follow_takes_one_trip() {
    let (_database, _db, follows) = start().await;
    let mut fewest = u32::MAX;
    for followed_id in 2..32 {
        let (_, spent) = cost::scope(follows.set(follow(1, followed_id))).await;
        fewest = fewest.min(spent.sql);
    }
    assert_eq!(fewest, 1);
}

/// Two processes, the same pairs, and many who follow one.
#[tokio::test]
async fn of_many_at_once_each_that_changed_a_row_is_counted_once() {
    let (database, db, one) = start().await;
    let other = Follows::start(db.clone(), fixture::without_redis(&db));
    let ops = (0..600_i64).map(|n| {
        let op = match n % 4 {
            3 => unfollow(100 + n % 40, 7),
            _ => follow(100 + n % 40, 7 + n % 3),
        };
        let writer = if n % 2 == 0 { &one } else { &other };
        async move { (op, writer.set_within(op, Duration::from_secs(5)).await) }
    });
    let mut changed = 0;
    for (op, result) in join_all(ops).await {
        let moved = i64::from(result.unwrap());
        changed += if op.followed { moved } else { -moved };
    }
    let rows: Vec<String> = database
        .column("SELECT CONCAT(user_id, ' ', followed_id) FROM follows")
        .await;
    let distinct: HashSet<&String> = rows.iter().collect();
    assert_eq!(distinct.len(), rows.len());
    assert_eq!(changed, i64::try_from(rows.len()).unwrap());
    assert!(reconcile::differences(&db).await.unwrap().is_empty());
}
