//! What the database accounts of the services may not do. Every test of the whole system shows that they may do what they must.

use sea_orm::{ConnectionTrait as _, DbBackend, Statement};
use settings::Secret;
use testkit::{Database, Engine};

use crate::fixture;

/// Why the server doesn't do this for the account in `url`.
async fn refusal(url: &str, sql: &str) -> String {
    let connection = sea_orm::Database::connect(url).await.unwrap();
    let outcome = connection.execute_unprepared(sql).await;
    connection.close().await.unwrap();
    match outcome {
        Ok(_) => panic!("not refused: {sql}"),
        Err(error) => error.to_string(),
    }
}

/// A database with tables, made by the account of migrations.
async fn migrated() -> Database {
    let database = Database::create().await;
    let mut mysql = fixture::mysql(&database.service_url(), &[]);
    let by_services = dal::migrate(&mysql).await.unwrap_err().to_string();
    assert!(by_services.contains("denied"), "{by_services}");
    mysql.migrate_url = Secret::new(database.migrate_url());
    assert!(!dal::migrate(&mysql).await.unwrap().applied.is_empty());
    database
}

#[tokio::test]
async fn the_account_of_services_changes_rows_and_nothing_else() {
    let database = migrated().await;
    let url = database.service_url();
    let name = database.name();
    let drop_all = format!("DROP DATABASE {name}");
    for sql in [
        "CREATE TABLE t (id BIGINT PRIMARY KEY)",
        "CREATE VIEW t AS SELECT 1 AS id",
        "CREATE INDEX users_id ON users (id)",
        "ALTER TABLE users ADD COLUMN x BIGINT",
        "DROP TABLE users",
        "TRUNCATE TABLE users",
        "CREATE DATABASE dousheng_more",
        "CREATE USER 'dousheng_more'@'127.0.0.1'",
        "SELECT COUNT(*) FROM mysql.user",
        &drop_all,
    ] {
        let reason = refusal(&url, sql).await;
        assert!(reason.contains("denied"), "{sql}: {reason}");
    }
    let connection = sea_orm::Database::connect(url.as_str()).await.unwrap();
    for sql in [
        "INSERT INTO users (name, password_hash) VALUES ('a', 'b')",
        "UPDATE users SET name = 'c'",
        "DELETE FROM users",
    ] {
        let done = connection.execute_unprepared(sql).await.unwrap();
        assert_eq!(done.rows_affected(), 1, "{sql}");
    }
    connection.close().await.unwrap();
}

#[tokio::test]
async fn the_account_on_the_replica_reads_and_sees_replication_and_nothing_else() {
    let database = migrated().await;
    database.replicas_caught_up().await;
    let insert = "INSERT INTO users (name, password_hash) VALUES ('a', 'b')";
    let url = &database.read_urls()[0];
    refusal(url, insert).await;
    // A replica would refuse that of everybody; the accounts are the same on the primary, which wouldn't.
    let (account, _) = url.rsplit_once('@').unwrap();
    let (_, primary) = database.primary_url().rsplit_once('@').unwrap();
    let on_primary = format!("{account}@{primary}");
    for sql in [
        insert,
        "UPDATE folder SET marks = 1",
        "DELETE FROM folder",
        "CREATE TABLE t (id BIGINT PRIMARY KEY)",
        "DROP TABLE folder",
    ] {
        let reason = refusal(&on_primary, sql).await;
        assert!(reason.contains("denied"), "{sql}: {reason}");
    }
    let connection = sea_orm::Database::connect(url.as_str()).await.unwrap();
    for sql in [
        "SELECT marks FROM folder",
        "SHOW REPLICA STATUS",
        &format!("SELECT {}", Engine::of_tests().applied()),
    ] {
        let statement = Statement::from_string(DbBackend::MySql, sql);
        let rows = connection.query_all_raw(statement).await.unwrap();
        assert_eq!(rows.len(), 1, "{sql}");
    }
    connection.close().await.unwrap();
}
