//! Idle connections that the server closes.

use dal::{Db, Reader, favorites::Favorites, users};
use sea_orm::ConnectionTrait as _;
use testkit::{Replicated, eventually};

use crate::{
    fixture::{self, like},
    replicas::own_servers,
    stage::PATIENCE,
};

#[tokio::test]
async fn connections_that_the_server_ended_for_being_idle_cost_no_request() {
    let servers = own_servers(1).await;
    // MySQL says why (4031) instead of an answer to the next statement; MariaDB only closes. On a busy machine
    // a second can pass between two statements of a request, and a connection that ends there fails it.
    for server in [0, 1] {
        servers.execute(server, "SET GLOBAL wait_timeout = 3").await;
    }
    let db = Db::connect(&fixture::mysql(&servers.url(0), &[&servers.url(1)])).unwrap();
    let counters = fixture::without_redis(&db);
    let favorites = Favorites::start(db.clone(), counters.clone());
    for round in 1..=3 {
        let user = users::create(&db, &format!("user {round}"), "hash")
            .await
            .unwrap();
        assert!(favorites.set(like(user, 1)).await.unwrap());
        for reader in [Reader::STRICT, Reader::ANY_REPLICA] {
            let found = users::mget(&db, &[user], &reader).await.unwrap();
            assert_eq!(found.len(), 1, "{reader:?}");
        }
        let before = ended(&servers).await;
        eventually(PATIENCE, "the end of all connections at rest", async || {
            let sql = "SELECT COUNT(*) FROM information_schema.processlist \
                       WHERE user = 'app' AND command = 'Sleep' AND time >= 4";
            let left: i64 = servers.value(0, sql).await;
            (left == 0 && ended(&servers).await > before).then_some(())
        })
        .await;
    }
}

/// Connections to the primary that ended without a word of the client.
async fn ended(servers: &Replicated) -> i64 {
    let url = servers.url(0);
    let session = sea_orm::Database::connect(url).await.unwrap();
    let sql = "SHOW GLOBAL STATUS LIKE 'Aborted_clients'";
    let statement = sea_orm::Statement::from_string(sea_orm::DbBackend::MySql, sql);
    let row = session.query_one_raw(statement).await.unwrap().unwrap();
    session.close().await.unwrap();
    row.try_get::<String>("", "Value").unwrap().parse().unwrap()
}
