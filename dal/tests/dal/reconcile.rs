//! Reconcile: differences are found and repaired, and writes in progress are no differences.

use dal::{
    counts::{self, Counter},
    favorites::Favorites,
    fold,
    orphans::{self, MAX_NAMED, Orphans},
    reconcile,
    reconcile::Difference,
};

use crate::fixture::{self, like, unlike};

#[tokio::test]
async fn differences_are_found_and_mended() {
    let (database, db) = fixture::migrated().await;
    let counters = fixture::without_redis(&db);
    let favorites = Favorites::start(db.clone(), counters.clone());
    for (user_id, video_id) in [(1, 1), (1, 2), (2, 1), (30_000, 50_000)] {
        favorites.set(like(user_id, video_id)).await.unwrap();
    }
    fixture::publish(&db, 5, "k").await;
    fold::fold_once(&db, &counters).await.unwrap();
    favorites.set(like(3, 1)).await.unwrap();
    assert_eq!(reconcile::differences(&db).await.unwrap(), []);

    for damage in [
        "UPDATE counters SET value = value + 5 WHERE kind = 1 AND target_id = 1",
        "DELETE FROM counters WHERE kind = 4 AND target_id = 1",
        "INSERT INTO ledger (kind, target_id, delta) VALUES (5, 5, -3)",
        "INSERT INTO ledger (kind, target_id, delta) VALUES (2, 70000, 9)",
        "DELETE FROM favorites WHERE user_id = 30000",
    ] {
        database.execute(damage).await;
    }
    let difference = |counter, shown, rows| Difference {
        counter,
        shown,
        rows,
    };
    let mut expected = vec![
        difference(Counter::VideoFavorites(1), 8, 3),
        difference(Counter::VideoFavorites(50_000), 1, 0),
        difference(Counter::VideoComments(70_000), 9, 0),
        difference(Counter::UserFavorited(fixture::author_of(50_000)), 2, 1),
        difference(Counter::UserFavorites(1), 0, 2),
        difference(Counter::UserFavorites(30_000), 1, 0),
        difference(Counter::UserWorks(5), -2, 1),
    ];
    expected.sort_by_key(|difference| difference.counter);
    let mut found = reconcile::differences(&db).await.unwrap();
    found.sort_by_key(|difference| difference.counter);
    assert_eq!(found, expected);

    assert_eq!(reconcile::fix(&db).await.unwrap().len(), expected.len());
    assert_eq!(reconcile::differences(&db).await.unwrap(), []);
    let repaired: Vec<Counter> = expected.iter().map(|d| d.counter).collect();
    let exact = counts::exact(&db, &repaired).await.unwrap();
    for difference in expected {
        assert_eq!(exact[&difference.counter], difference.rows);
    }
    fold::fold_once(&db, &counters).await.unwrap();
    assert_eq!(reconcile::differences(&db).await.unwrap(), []);
}

#[tokio::test]
async fn what_is_written_meanwhile_is_no_difference_and_is_not_mended() {
    let (database, db) = fixture::migrated().await;
    let counters = fixture::without_redis(&db);
    let favorites = Favorites::start(db.clone(), counters.clone());
    database
        .execute("INSERT INTO ledger (kind, target_id, delta) VALUES (1, 3, 100), (4, 5, -100)")
        .await;
    let writers: Vec<_> = (0..16)
        .map(|user_id| {
            let favorites = favorites.clone();
            tokio::spawn(async move {
                for n in 0..60 {
                    let video_id = n % 7;
                    let op = match n % 3 {
                        0 => unlike(user_id, video_id),
                        _ => like(user_id, video_id),
                    };
                    favorites.set(op).await.unwrap();
                }
            })
        })
        .collect();
    let mut found = reconcile::fix(&db).await.unwrap();
    while !writers.iter().all(tokio::task::JoinHandle::is_finished) {
        found.extend(reconcile::fix(&db).await.unwrap());
        fold::fold_once(&db, &counters).await.unwrap();
    }
    let wrong: Vec<Counter> = found.iter().map(|difference| difference.counter).collect();
    assert_eq!(
        wrong,
        [Counter::VideoFavorites(3), Counter::UserFavorites(5)]
    );
    assert_eq!(reconcile::differences(&db).await.unwrap(), []);
    for writer in writers {
        writer.await.unwrap();
    }
}

#[tokio::test]
async fn rows_that_refer_to_nobody_are_found() {
    let (database, db) = fixture::migrated().await;
    for rows in [
        "INSERT INTO users (id, name, password_hash) VALUES (1, 'a', '-'), (2, 'b', '-'), (50000, 'c', '-')",
        "INSERT INTO videos (id, author_id, title, object_key, cover_key, size_bytes, sha256, duration_ms, width, height, published_ms) \
         VALUES (1, 1, 't', 'k1', 'c', 1, '', 1, 1, 1, 1), (40000, 3, 't', 'k2', 'c', 1, '', 1, 1, 1, 2)",
        "INSERT INTO favorites (user_id, video_id, author_id, liked_us, batch) VALUES \
         (1, 1, 1, 1, 0), (2, 9, 1, 1, 0), (50000, 9, 1, 1, 0), (4, 1, 1, 1, 0)",
        "INSERT INTO comments (id, video_id, user_id, content, created_ms) VALUES \
         (1, 1, 1, 'x', 1), (2, 1, 5, 'x', 1), (30000, 1, 5, 'x', 1), (30001, 8, 1, 'x', 1)",
    ] {
        database.execute(rows).await;
    }
    let orphans = orphans::find(&db).await.unwrap();
    let found = |table, column, refers_to, id, rows| Orphans {
        table,
        column,
        refers_to,
        id,
        rows,
    };
    assert_eq!(orphans.rows, 7);
    assert_eq!(
        orphans.named,
        [
            found("videos", "author_id", "users", 3, 1),
            found("favorites", "user_id", "users", 4, 1),
            found("favorites", "video_id", "videos", 9, 2),
            found("comments", "user_id", "users", 5, 2),
            found("comments", "video_id", "videos", 8, 1),
        ]
    );
}

#[tokio::test]
async fn a_user_with_many_likes_is_read_in_several_pages_and_another_write_is_no_difference() {
    let (database, db) = fixture::migrated().await;
    // One of them in two pages and a half; the numbers are made of digits.
    let digits = "(SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 \
                  UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)";
    let ten_thousand = format!(
        "(SELECT a.d + 10 * b.d + 100 * c.d + 1000 * e.d AS n FROM {digits} AS a, {digits} AS b, {digits} AS c, {digits} AS e)"
    );
    for (user, first) in [(7, 0), (7, 10_000), (7, 20_000), (8, 0)] {
        let limit = if first == 20_000 { 5_000 } else { 10_000 };
        database
            .execute(&format!(
                "INSERT INTO favorites (user_id, video_id, author_id, liked_us, batch) \
                 SELECT {user}, {first} + n + 1, 1, {first} + n, 0 FROM {ten_thousand} AS numbers WHERE n < {limit}"
            ))
            .await;
    }
    for counters in [
        "SELECT 1, video_id, COUNT(*) FROM favorites GROUP BY video_id",
        "SELECT 3, author_id, COUNT(*) FROM favorites GROUP BY author_id",
        "SELECT 4, user_id, COUNT(*) FROM favorites GROUP BY user_id",
    ] {
        database
            .execute(&format!(
                "INSERT INTO counters (kind, target_id, value) {counters}"
            ))
            .await;
    }
    let users = "INSERT INTO users (id, name, password_hash) VALUES (1, 'a', '-'), (7, 'b', '-'), (8, 'c', '-')";
    database.execute(users).await;
    assert_eq!(reconcile::differences(&db).await.unwrap(), []);
    database
        .execute("DELETE FROM favorites WHERE user_id = 7 AND video_id IN (1, 10000, 10001, 25000)")
        .await;
    let found = reconcile::fix(&db).await.unwrap();
    let rows: i64 = found.iter().map(|found| found.shown - found.rows).sum();
    assert_eq!((found.len(), rows), (6, 12));
    assert_eq!(reconcile::differences(&db).await.unwrap(), []);
    // Of 24,998 videos that don't exist a few are named, each with all its rows: of both users, though these are pages apart.
    let orphans = orphans::find(&db).await.unwrap();
    assert_eq!(orphans.rows, 34_996);
    assert_eq!(orphans.named.len(), MAX_NAMED);
    for (orphans, id) in orphans.named.iter().zip(2..) {
        assert_eq!((orphans.id, orphans.rows), (id, 2), "{orphans:?}");
    }
}
