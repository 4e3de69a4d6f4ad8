//! Overload: what a slow server and many reads at once cost others.

use std::time::{Duration, Instant};

use dal::{DalError, Db, Reader, users};
use sea_orm::ConnectionTrait as _;
use testkit::{Database, eventually};

use crate::{
    fixture,
    replicas::{in_rotation, likes, own_servers, proxied, why_out},
    stage::{HOT, PATIENCE},
};

/// Locks a table for everybody else until the value goes.
async fn lock(url: &str, table: &str) -> sea_orm::DatabaseTransaction {
    let connection = sea_orm::Database::connect(url).await.unwrap();
    let session = sea_orm::TransactionTrait::begin(&connection).await.unwrap();
    session
        .execute_unprepared(&format!("LOCK TABLES {table} WRITE"))
        .await
        .unwrap();
    session
}

async fn unlock(session: sea_orm::DatabaseTransaction) {
    session.execute_unprepared("UNLOCK TABLES").await.unwrap();
}

#[tokio::test]
async fn one_slow_query_ejects_no_replica() {
    let servers = own_servers(1).await;
    let db = Db::connect(&fixture::mysql(&servers.url(0), &[&servers.url(1)])).unwrap();
    in_rotation(&db, 1).await;
    let admin = servers.url(1).replace("app:app", "admin:admin");
    let slow = lock(&admin, "favorites").await;
    // The primary answers in its place.
    assert_eq!(
        likes(&db, 7, &Reader::ANY_REPLICA).await.unwrap(),
        [0_i64; 0]
    );
    assert_eq!(why_out(&db, 1).await, None, "after one slow query");
    // But when it answers nothing any more others are asked, and then it isn't waited for.
    eventually(PATIENCE, "the replica out of rotation", async || {
        likes(&db, 7, &Reader::ANY_REPLICA).await.unwrap();
        why_out(&db, 1).await
    })
    .await;
    unlock(slow).await;
    in_rotation(&db, 1).await;
}

#[tokio::test]
async fn a_burst_that_fills_the_pool_of_a_replica_is_shed_and_neither_ejects_it_nor_stops_writes() {
    let (database, _) = fixture::migrated().await;
    let (proxy, url) = proxied(database.replica_url()).await;
    let mut mysql = fixture::mysql(database.primary_url(), &[&url]);
    mysql.max_connections = 2;
    mysql.max_fallback_connections = 2;
    let db = Db::connect(&mysql).unwrap();
    in_rotation(&db, 1).await;
    // Both connections are open before answers take their time.
    let warm: Vec<_> = (0..8).map(|_| burst(&db)).collect();
    for one in warm {
        one.await.unwrap().unwrap();
    }
    // The watch polls through the proxy too, eight round trips a poll: all of them fit into its deadline.
    proxy.delay(Duration::from_millis(40));
    let burst: Vec<_> = (0..600).map(|_| burst(&db)).collect();
    let asked = Instant::now();
    let (mut answered, mut shed) = (0, 0);
    let writes = tokio::spawn({
        let db = db.clone();
        async move {
            for n in 0..20 {
                users::create(&db, &format!("user {n}"), "hash")
                    .await
                    .unwrap();
            }
        }
    });
    for one in burst {
        match one.await.unwrap() {
            Ok(()) => answered += 1,
            Err(DalError::Overloaded) => shed += 1,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(answered > 0 && shed > 0, "{answered} answered, {shed} shed");
    // Of 600 the replica can answer 50 a second: nobody waits for the last.
    assert!(
        asked.elapsed() < Duration::from_secs(8),
        "{:?}",
        asked.elapsed()
    );
    writes.await.unwrap();
    proxy.delay(Duration::ZERO);
    assert_eq!(why_out(&db, 1).await, None, "after a burst");
}

fn burst(db: &Db) -> tokio::task::JoinHandle<Result<(), DalError>> {
    let db = db.clone();
    tokio::spawn(async move { likes(&db, 7, &Reader::ANY_REPLICA).await.map(|_| ()) })
}

#[tokio::test]
async fn reads_that_no_replica_answers_take_nothing_from_writes() {
    let database = Database::create().await;
    let mut mysql = fixture::mysql(
        database.primary_url(),
        &["mysql://nobody:nothing@127.0.0.1:1/dt_none"],
    );
    dal::migrate(&mysql).await.unwrap();
    mysql.max_connections = 2;
    mysql.max_fallback_connections = 2;
    let db = Db::connect(&mysql).unwrap();
    let slow = lock(database.primary_url(), "favorites").await;
    let burst: Vec<_> = (0..100).map(|_| burst(&db)).collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    for n in 0..10 {
        users::create(&db, &format!("user {n}"), "hash")
            .await
            .unwrap();
    }
    unlock(slow).await;
    for one in burst {
        // Whatever came of them: they were bounded.
        let outcome = one.await.unwrap();
        assert!(
            matches!(
                outcome,
                Ok(()) | Err(DalError::Overloaded | DalError::TimedOut)
            ),
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn exact_counts_that_redis_can_not_give_take_nothing_from_writes() {
    let (database, _) = fixture::migrated().await;
    let mut mysql = fixture::mysql(database.primary_url(), &[]);
    mysql.max_connections = 2;
    let db = Db::connect(&mysql).unwrap();
    let counters = fixture::without_redis(&db);
    let slow = lock(database.primary_url(), "counters").await;
    let burst: Vec<_> = (0..100)
        .map(|_| {
            let counters = counters.clone();
            tokio::spawn(async move { counters.read(&[HOT]).await.map(drop) })
        })
        .collect();
    let waiting = format!(
        "SELECT COUNT(*) FROM information_schema.processlist WHERE db = '{}' AND state LIKE 'Waiting for table%'",
        database.name()
    );
    eventually(PATIENCE, "all their connections wait", async || {
        (database.value::<i64>(&waiting).await == 2).then_some(())
    })
    .await;
    for n in 0..10 {
        users::create(&db, &format!("user {n}"), "hash")
            .await
            .unwrap();
    }
    unlock(slow).await;
    for one in burst {
        let outcome = one.await.unwrap();
        assert!(
            matches!(
                outcome,
                Ok(()) | Err(DalError::Overloaded | DalError::TimedOut)
            ),
            "{outcome:?}"
        );
    }
}
