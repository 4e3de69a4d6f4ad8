//! The schema, step by step. A step that was released is never edited; a change is a new step.
//!
//! DDL can't be rolled back, so each statement may be run again after a kill half-way. No foreign keys between domains: each
//! service could have a database of its own.

mod m0001_users;
mod m0002_videos;
mod m0003_favorites_comments_counters;
mod m0004_places;
mod m0005_reaper;
mod m0006_writers;
mod m0007_low_water_mark;
mod m0008_processing;
mod m0009_follows;
mod m0010_messages;
mod m0011_deletions;
mod m0012_replaced_uploads;

use std::time::Duration;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, SqlxMySqlConnector, Statement,
    sqlx::mysql::MySqlPoolOptions,
};
use sea_orm_migration::{MigrationTrait, MigratorTrait, prelude::async_trait};

use crate::{
    DalError,
    pool::{self, within},
};

/// For all steps, and the wait for another process that is at it.
const DEADLINE: Duration = Duration::from_secs(300);
/// The wait for the lock; ends before the deadline does.
const LOCK_SECONDS: i64 = 240;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_users::Migration),
            Box::new(m0002_videos::Migration),
            Box::new(m0003_favorites_comments_counters::Migration),
            Box::new(m0004_places::Migration),
            Box::new(m0005_reaper::Migration),
            Box::new(m0006_writers::Migration),
            Box::new(m0007_low_water_mark::Migration),
            Box::new(m0008_processing::Migration),
            Box::new(m0009_follows::Migration),
            Box::new(m0010_messages::Migration),
            Box::new(m0011_deletions::Migration),
            Box::new(m0012_replaced_uploads::Migration),
        ]
    }
}

/// What [`migrate`] did and found, by the names of the steps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// Were missing.
    pub applied: Vec<String>,
    /// Are of a newer release, and were applied before. A release's steps only add, so this one runs on its schema, too.
    pub newer: Vec<String>,
}

/// Brings the primary's schema up to date, with the account of `mysql.migrate_url`, if that is set. Safe to run again, and by several
/// processes at once: a lock on the connection that migrates lets one after the other in.
pub async fn migrate(mysql: &settings::Mysql) -> Result<Migrated, DalError> {
    within(DEADLINE, async {
        let url = match mysql.migrate_url.expose() {
            "" => &mysql.primary_url,
            _ => &mysql.migrate_url,
        };
        let connection = single_connection(url)?;
        lock(&connection).await?;
        let found = Migrator::get_migration_models(&connection).await?;
        let found: Vec<String> = found.into_iter().map(|step| step.version).collect();
        let own = Migrator::migrations().into_iter();
        let own: Vec<String> = own.map(|step| step.name().to_owned()).collect();
        let migrated = Migrated {
            applied: without(&own, &found),
            newer: without(&found, &own),
        };
        // It fails for steps that it doesn't know, so it runs only if something is missing.
        if !migrated.applied.is_empty() {
            Migrator::up(&connection, None).await?;
        }
        // Closing gives the lock back; so would a kill.
        connection.close().await?;
        Ok(migrated)
    })
    .await
}

fn without(steps: &[String], others: &[String]) -> Vec<String> {
    let is_left = |step: &&String| !others.contains(step);
    steps.iter().filter(is_left).cloned().collect()
}

/// A pool of one connection that lives as long as the pool: the lock and the steps share it.
fn single_connection(url: &settings::Secret) -> Result<DatabaseConnection, DbErr> {
    let pool = MySqlPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .acquire_timeout(CONNECT_TIMEOUT)
        .connect_lazy_with(pool::parse(url)?);
    Ok(SqlxMySqlConnector::from_sqlx_mysql_pool(pool))
}

async fn lock(connection: &DatabaseConnection) -> Result<(), DbErr> {
    let statement = Statement::from_sql_and_values(
        DbBackend::MySql,
        // A lock is the server's, not the database's; its name has 64 characters at most.
        "SELECT GET_LOCK(CONCAT('migrate ', LEFT(SHA2(DATABASE(), 256), 32)), ?) AS locked",
        [LOCK_SECONDS.into()],
    );
    let row = connection.query_one_raw(statement).await?;
    match row.map(|row| row.try_get("", "locked")).transpose()? {
        Some(Some(1_i64)) => Ok(()),
        _ => Err(DbErr::Migration(
            "another process has been migrating for too long".to_owned(),
        )),
    }
}
