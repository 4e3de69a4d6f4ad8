//! Which server answers a read or a write, what it costs in statements, and what happens when a server fails.

use std::time::{Duration, Instant};

use dal::{DalError, Db, Reader, comments, counts, favorites, fold, reconcile, users, videos};
use telemetry::cost;
use testkit::Engine;

use crate::fixture::{self, publish};

/// For what a busy machine may delay.
const PATIENCE: Duration = Duration::from_secs(10);
/// Nobody listens there.
const DEAD: &str = "mysql://nobody:nothing@127.0.0.1:1/dt_none";

#[tokio::test]
async fn what_the_replica_lacks_is_asked_once_more_on_the_primary() {
    let (_primary, _replica, db) = fixture::with_a_replica_that_lags().await;
    let user = users::create(&db, "bob", "hash").await.unwrap();
    let video = publish(&db, user, "a").await;

    // On a busy machine a replica may take too long, and the primary answers alone.
    testkit::eventually(PATIENCE, "the replica, then the primary", async || {
        let (found, spent) =
            cost::scope(users::mget(&db, &[user, user], &Reader::ANY_REPLICA)).await;
        assert_eq!(found.unwrap()[0].id, user);
        (spent.sql == 2).then_some(())
    })
    .await;
    let all = [video];
    let found = videos::mget(&db, &[all[0].id], &Reader::ANY_REPLICA)
        .await
        .unwrap();
    assert_eq!(found, all);
    // An empty feed is worth a second look.
    let feed = videos::feed_page(&db, None, 30, &Reader::ANY_REPLICA)
        .await
        .unwrap();
    assert_eq!(feed, all);

    let feed = videos::feed_page(&db, None, 30, &Reader::STRICT)
        .await
        .unwrap();
    assert_eq!(feed, all);
    let works = videos::by_author(&db, user, None, 30, false, &Reader::STRICT)
        .await
        .unwrap();
    assert_eq!(works.entries, all);
    assert!(
        users::credentials_by_name(&db, "bob")
            .await
            .unwrap()
            .is_some()
    );
}

#[tokio::test]
async fn reads_that_may_be_old_go_to_the_replica() {
    let (_primary, replica, db) = fixture::with_a_replica_that_lags().await;
    replica
        .execute("INSERT INTO users (name, password_hash) VALUES ('only there', 'x')")
        .await;
    testkit::eventually(PATIENCE, "a row that only the replica has", async || {
        let (found, spent) = cost::scope(users::mget(&db, &[1], &Reader::ANY_REPLICA)).await;
        let name = found.unwrap().pop()?.name;
        assert_eq!((name.as_str(), spent.sql), ("only there", 1));
        Some(())
    })
    .await;
    assert!(
        users::mget(&db, &[1], &Reader::STRICT)
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_statement_counts_once_and_no_ids_cost_none() {
    let (database, _) = fixture::migrated().await;
    let db = Db::connect(&fixture::mysql(database.primary_url(), &[])).unwrap();
    let (_, spent) = cost::scope(users::create(&db, "a", "h")).await;
    assert_eq!(spent.sql, 1);
    let (_, spent) = cost::scope(users::mget(&db, &[], &Reader::ANY_REPLICA)).await;
    assert_eq!(spent.sql, 0);
    let (_, spent) = cost::scope(videos::feed_page(&db, None, 30, &Reader::STRICT)).await;
    assert_eq!(spent.sql, 1);
    dal::uploads::record(&db, "k", 1).await.unwrap();
    let video = fixture::new_video(1, "k");
    let counters = fixture::without_redis(&db);
    videos::authors_of(&db, &[1], &Reader::STRICT)
        .await
        .unwrap();
    videos::publish(&db, &counters, &video).await.unwrap();
    // By now the server's version is known, whoever asked for it.
    dal::uploads::record(&db, "l", 1).await.unwrap();
    let video = fixture::new_video(1, "l");
    let (_, spent) = cost::scope(videos::publish(&db, &counters, &video)).await;
    // BEGIN, lock and clock, delete, insert, the author's tombstone, the time of publishing, ledger with COMMIT; exact counts, end. MySQL tells
    // the position in a statement of its own.
    let expected = match Engine::of_tests() {
        Engine::MariaDb => 9,
        Engine::MySql(_) => 10,
    };
    assert_eq!(spent.sql, expected);
}

#[tokio::test]
async fn a_dead_replica_stops_neither_the_start_nor_a_read() {
    let (database, _) = fixture::migrated().await;
    let db = Db::connect(&fixture::mysql(database.primary_url(), &[DEAD])).unwrap();
    let user = users::create(&db, "bob", "hash").await.unwrap();
    assert_eq!(
        users::mget(&db, &[user], &Reader::ANY_REPLICA)
            .await
            .unwrap()
            .len(),
        1
    );
    // It has left the rotation: the next reads don't wait for it.
    let started = Instant::now();
    for _ in 0..20 {
        assert_eq!(
            users::mget(&db, &[user], &Reader::ANY_REPLICA)
                .await
                .unwrap()
                .len(),
            1
        );
    }
    assert!(
        started.elapsed() < Duration::from_secs(3),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn a_replica_without_the_schema_is_passed_over() {
    let (database, _) = fixture::migrated().await;
    let bare = testkit::Database::create().await;
    let db = Db::connect(&fixture::mysql(
        database.primary_url(),
        &[bare.replica_url()],
    ))
    .unwrap();
    let user = users::create(&db, "bob", "hash").await.unwrap();
    assert_eq!(
        users::mget(&db, &[user], &Reader::ANY_REPLICA)
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn a_replica_comes_back_by_itself() {
    let (primary, _) = fixture::migrated().await;
    let replica = testkit::Database::create().await;
    let on_replica = fixture::mysql(replica.primary_url(), &[]);
    primary
        .execute(&format!("DROP DATABASE {}", replica.name()))
        .await;
    let db = Db::connect(&fixture::mysql(
        primary.primary_url(),
        &[replica.replica_url()],
    ))
    .unwrap();
    assert!(
        users::mget(&db, &[1], &Reader::ANY_REPLICA)
            .await
            .unwrap()
            .is_empty()
    );

    primary
        .execute(&format!("CREATE DATABASE {}", replica.name()))
        .await;
    dal::migrate(&on_replica).await.unwrap();
    replica
        .execute("INSERT INTO users (name, password_hash) VALUES ('only there', 'x')")
        .await;
    testkit::eventually(
        Duration::from_secs(10),
        "the replica back in rotation",
        async || {
            users::mget(&db, &[1], &Reader::ANY_REPLICA)
                .await
                .unwrap()
                .pop()
        },
    )
    .await;
}

#[tokio::test]
async fn a_dead_primary_fails_in_time_and_says_so() {
    let db = Db::connect(&fixture::mysql(DEAD, &[])).unwrap();
    let started = Instant::now();
    assert!(matches!(
        users::create(&db, "bob", "hash").await,
        Err(DalError::Unavailable(_))
    ));
    let read = users::mget(&db, &[1], &Reader::STRICT).await;
    assert!(matches!(read, Err(DalError::Unavailable(_))));
    assert!(
        started.elapsed() < Duration::from_secs(8),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn connections_that_the_server_closed_cost_no_request() {
    let (database, db) = fixture::migrated().await;
    let user = users::create(&db, "bob", "hash").await.unwrap();
    let mine = format!(
        "SELECT GROUP_CONCAT(CONCAT('KILL ', id) SEPARATOR ';') FROM information_schema.processlist WHERE db = '{}' AND id <> CONNECTION_ID()",
        database.name()
    );
    let kill = async || {
        for kill in database.value::<String>(&mine).await.split(';') {
            database.execute(kill).await;
        }
    };
    kill().await;
    assert_eq!(
        users::mget(&db, &[user], &Reader::STRICT)
            .await
            .unwrap()
            .len(),
        1
    );
    dal::uploads::record(&db, "a", user).await.unwrap();
    kill().await;
    let counters = fixture::without_redis(&db);
    videos::publish(&db, &counters, &fixture::new_video(user, "a"))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_lock_that_is_never_given_ends_in_time() {
    let (database, db) = fixture::migrated().await;
    dal::uploads::record(&db, "a", 1).await.unwrap();
    let url = database.primary_url().to_owned();
    let holder = tokio::spawn(async move {
        let connection = sea_orm::Database::connect(url).await.unwrap();
        let transaction = sea_orm::TransactionTrait::begin(&connection).await.unwrap();
        sea_orm::ConnectionTrait::execute_unprepared(&transaction, "DELETE FROM uploads")
            .await
            .unwrap();
        tokio::time::sleep(Duration::from_secs(30)).await;
    });
    let db2 = db.clone();
    testkit::eventually(Duration::from_secs(5), "the row locked", async || {
        let probe = tokio::time::timeout(
            Duration::from_millis(300),
            dal::uploads::set_upload_id(&db2, "a", "x"),
        )
        .await;
        probe.is_err().then_some(())
    })
    .await;
    let started = Instant::now();
    let counters = fixture::without_redis(&db);
    let refused = videos::publish(&db, &counters, &fixture::new_video(1, "a")).await;
    assert!(matches!(refused, Err(DalError::TimedOut)), "{refused:?}");
    assert!(
        started.elapsed() < Duration::from_secs(8),
        "{:?}",
        started.elapsed()
    );
    holder.abort();
    let _ = holder.await;
    // Nothing of it is left, and the row is free again.
    testkit::eventually(Duration::from_secs(5), "the row free again", async || {
        let video = fixture::new_video(1, "a");
        videos::publish(&db, &counters, &video).await.ok()
    })
    .await;
}

/// Compiles only if a service may call them: its futures move between threads.
#[tokio::test]
async fn every_call_can_be_made_in_a_spawned_task() {
    let (_database, db) = fixture::migrated().await;
    let calls = tokio::spawn(async move {
        let video = fixture::new_video(1, "a");
        dal::uploads::record(&db, "a", 1).await?;
        dal::uploads::set_upload_id(&db, "a", "u").await?;
        let counters = fixture::without_redis(&db);
        videos::publish(&db, &counters, &video).await?;
        dal::uploads::begin_abort(&db, "a").await?;
        dal::uploads::find(&db, "a").await?;
        dal::uploads::remove(&db, "a").await?;
        dal::uploads::stale(&db, 0, 1).await?;
        dal::reaper::known(&db, &["a".to_owned()]).await?;
        videos::by_object_key(&db, "a").await?;
        dal::idempotency::forget_old(&db, 1).await?;
        let user_id = users::create(&db, "bob", "hash").await?;
        users::credentials_by_name(&db, "bob").await?;
        users::replace_password_hash(&db, user_id, "hash", "other").await?;
        users::mget(&db, &[user_id], &Reader::ANY_REPLICA).await?;
        videos::mget(&db, &[1], &Reader::ANY_REPLICA).await?;
        videos::feed_page(&db, None, 1, &Reader::ANY_REPLICA).await?;
        videos::by_author(&db, 1, None, 1, false, &Reader::STRICT).await?;
        videos::authors_of(&db, &[1], &Reader::STRICT).await?;
        let favorites = favorites::Favorites::start(db.clone(), counters.clone());
        favorites.set(fixture::like(1, 1)).await?;
        favorites::list(&db, 1, None, 1, &Reader::STRICT).await?;
        favorites::liked_among(&db, 1, &[1], &Reader::STRICT).await?;
        let comment = comments::NewComment {
            video_id: 1,
            user_id: 1,
            content: "好".to_owned(),
            key: None,
        };
        let comment = comments::Comments::start(db.clone(), counters.clone())
            .add(comment)
            .await?;
        comments::list(&db, 1, None, 1, &Reader::STRICT).await?;
        let comment = comments::DeleteComment {
            video_id: 1,
            comment_id: comment.id,
            user_id: 1,
            video_author_id: 2,
        };
        comments::Comments::start(db.clone(), counters.clone())
            .delete(comment)
            .await?;
        counts::exact(&db, &[counts::Counter::UserWorks(1)]).await?;
        fold::fold_once(&db, &counters).await?;
        reconcile::differences(&db).await?;
        reconcile::fix(&db).await
    });
    calls.await.unwrap().unwrap();
}
