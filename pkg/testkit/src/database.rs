//! A database for one test, on the primary and its real replicas.
//!
//! Futures are `boxed`, for the reason given in `bucket.rs`.

use std::time::Duration;

use futures::FutureExt as _;
use sea_orm::{
    ConnectOptions, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, Statement,
    TransactionTrait, TryGetable,
};
use tokio::sync::OnceCell;

use crate::{Engine, environment, eventually, names};

/// How long it may take until something new is on a replica.
const REPLICATED_LIMIT: Duration = Duration::from_secs(20);
/// How long it may take until all of it is.
const CAUGHT_UP_LIMIT: Duration = Duration::from_secs(30);

/// Dropped from the server when the value goes, unless it is [`Self::kept`].
#[derive(Debug)]
pub struct Database {
    name: String,
    is_kept: bool,
    primary_url: String,
    /// At least one.
    replica_urls: Vec<String>,
}

impl Database {
    /// An empty database, there on every replica too when this returns.
    pub async fn create() -> Self {
        static SWEPT: OnceCell<()> = OnceCell::const_new();
        SWEPT.get_or_init(|| sweep().boxed()).await;
        Self::made(names::unique('_'), false).await
    }

    /// The database `dt_<name>`, made if it isn't there. It stays as long as the servers of the tests: for data that takes minutes to make.
    pub async fn kept(name: &str) -> Self {
        Self::made(format!("dt_{name}"), true).await
    }

    async fn made(name: String, is_kept: bool) -> Self {
        let replicas = environment::replica_urls();
        let database = Self {
            primary_url: with_database(&environment::primary_url(), &name),
            replica_urls: replicas
                .iter()
                .map(|url| with_database(url, &name))
                .collect(),
            name,
            is_kept,
        };
        let sql = format!(
            "CREATE DATABASE {} {} CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci",
            if is_kept { "IF NOT EXISTS" } else { "" },
            database.name
        );
        run(&with_database(&database.primary_url, ""), &sql)
            .boxed()
            .await;
        for url in &database.replica_urls {
            let what = "the new database on a replica";
            eventually(REPLICATED_LIMIT, what, async || {
                try_connect(url).boxed().await.ok()
            })
            .await
            .close()
            .await
            .expect("close the replica connection");
        }
        database
    }

    /// `dt_…`
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Address of this database on the primary, with the account of the test, which may do everything in it.
    pub fn primary_url(&self) -> &str {
        &self.primary_url
    }

    /// The settings of a process that uses this database by the account of the tests, without replicas.
    pub fn settings(&self, max_connections: u32) -> settings::Mysql {
        settings::Mysql {
            primary_url: settings::Secret::new(self.primary_url()),
            replica_urls: Vec::new(),
            migrate_url: settings::Secret::new(""),
            max_connections,
            max_fallback_connections: max_connections,
            acquire_timeout_ms: 5000,
            reads_after_writes: settings::ReadsAfterWrites::Gtid,
            max_lag_s: 30,
            replica_wait_ms: 50,
        }
    }

    /// Address of this database on the first replica, with the account of the test.
    pub fn replica_url(&self) -> &str {
        &self.replica_urls[0]
    }

    /// How many replicas there are.
    pub fn replicas(&self) -> usize {
        self.replica_urls.len()
    }

    /// As [`Self::primary_url`], with the account that services have: for rows alone.
    pub fn service_url(&self) -> String {
        with_account(&self.primary_url, &environment::service_account())
    }

    /// This database on every replica, with the account that services have there: it only reads. As `mysql.replica_urls` takes them.
    pub fn read_urls(&self) -> Vec<String> {
        let account = environment::read_account();
        let urls = self.replica_urls.iter();
        urls.map(|url| with_account(url, &account)).collect()
    }

    /// As [`Self::primary_url`], with the account that migrations have.
    pub fn migrate_url(&self) -> String {
        with_account(&self.primary_url, &environment::migrate_account())
    }

    /// Runs a statement on the primary.
    pub async fn execute(&self, sql: &str) {
        run(&self.primary_url, sql).boxed().await;
    }

    /// First column of the first row on the primary, for example of a `SELECT COUNT(*)`.
    pub async fn value<T: TryGetable + Send>(&self, sql: &str) -> T {
        value(&self.primary_url, sql).boxed().await
    }

    /// First column of all rows on the primary.
    pub async fn column<T: TryGetable + Send>(&self, sql: &str) -> Vec<T> {
        column(&self.primary_url, sql).boxed().await
    }

    /// Runs a statement on the primary in a transaction that stays open, with all its locks, until the value goes.
    pub async fn hold(&self, sql: &str) -> Held {
        hold(&self.primary_url, sql).boxed().await
    }

    /// First column of the first row on the first replica, however old.
    pub async fn replica_value<T: TryGetable + Send>(&self, sql: &str) -> T {
        value(self.replica_url(), sql).boxed().await
    }

    /// First column of all rows on replica number `n` (from 0), however old.
    pub async fn replica_column<T: TryGetable + Send>(&self, n: usize, sql: &str) -> Vec<T> {
        column(&self.replica_urls[n], sql).boxed().await
    }

    /// Waits until every replica has everything that the primary had when this was called.
    pub async fn replicas_caught_up(&self) {
        self.replicas_caught_up_within(CAUGHT_UP_LIMIT).await;
    }

    /// The same, with the patience that the caller's work needs.
    pub async fn replicas_caught_up_within(&self, limit: Duration) {
        let position = self.position().await;
        let wait = Engine::of_tests().wait(&position, limit.as_secs());
        for url in &self.replica_urls {
            let outcome: i64 = value(url, &wait).boxed().await;
            assert_eq!(
                outcome, 0,
                "a replica did not reach {position} in {limit:?}"
            );
        }
    }

    /// The GTIDs of all commits of the primary.
    pub async fn position(&self) -> String {
        let position = format!("SELECT {}", Engine::of_tests().position());
        self.value(&position).await
    }
}

/// An open transaction with its locks; rolled back by the server when the value goes.
#[derive(Debug)]
pub struct Held {
    transaction: Option<DatabaseTransaction>,
    connection_id: u64,
    url: String,
}

impl Held {
    /// Commits it, and so ends its locks.
    pub async fn commit(mut self) {
        if let Some(transaction) = self.transaction.take() {
            transaction.commit().await.expect("a commit");
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.transaction.is_none() {
            return;
        }
        // The pool would roll back later, when the runtime has time; others may wait for the locks before that.
        let sql = format!("KILL {}", self.connection_id);
        let url = std::mem::take(&mut self.url);
        blocking(async move { run(&url, &sql).await });
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.is_kept {
            return;
        }
        let url = with_database(&self.primary_url, "");
        // A failed test may still hold a lock of it.
        let sql = format!(
            "SET SESSION lock_wait_timeout = 10; DROP DATABASE IF EXISTS {}",
            self.name
        );
        blocking(async move { run(&url, &sql).await });
    }
}

/// Drops the databases of test runs that were killed.
async fn sweep() {
    let url = with_database(&environment::primary_url(), "");
    let connection = connect(&url).await;
    let all = Statement::from_string(DbBackend::MySql, "SHOW DATABASES LIKE 'dt\\_%'");
    let rows = connection.query_all_raw(all).await.expect("list databases");
    for row in rows {
        let name: String = row.try_get_by_index(0).expect("a database name");
        if names::is_left_over(&name, '_') {
            let sql = format!("DROP DATABASE IF EXISTS {name}");
            connection
                .execute_unprepared(&sql)
                .await
                .expect("drop a left-over database");
        }
    }
    connection.close().await.expect("close the connection");
}

/// Finishes `work` before it returns, inside or outside a runtime: what a drop needs.
pub(crate) fn blocking(work: impl Future<Output = ()> + Send + 'static) {
    let done = std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime to clean up in")
            .block_on(work);
    })
    .join();
    if done.is_err() {
        eprintln!("testkit: could not clean up; the next run will");
    }
}

/// Replaces the database in a `mysql://` URL.
fn with_database(url: &str, name: &str) -> String {
    let authority = url.find("://").map_or(0, |at| at + 3);
    let end = url[authority..]
        .find('/')
        .map_or(url.len(), |at| authority + at);
    format!("{}/{name}", &url[..end])
}

/// Replaces user and password in a `mysql://` URL.
fn with_account(url: &str, account: &str) -> String {
    let (scheme, rest) = url.split_once("://").expect("a URL");
    let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
    format!("{scheme}://{account}@{place}")
}

/// Replaces host and port in a `mysql://` URL.
pub(crate) fn with_address(url: &str, address: &str) -> String {
    let (account, place) = url.rsplit_once('@').expect("a URL with an account");
    let (_, name) = place.split_once('/').expect("a URL with a database");
    format!("{account}@{address}/{name}")
}

pub(crate) async fn try_connect(url: &str) -> Result<DatabaseConnection, sea_orm::DbErr> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    sea_orm::Database::connect(options).await
}

async fn connect(url: &str) -> DatabaseConnection {
    match try_connect(url).await {
        Ok(connection) => connection,
        Err(error) => panic!("the test database does not answer ({error}): run `make test`"),
    }
}

pub(crate) async fn run(url: &str, sql: &str) {
    let connection = connect(url).await;
    if let Err(error) = connection.execute_unprepared(sql).await {
        panic!("{sql}: {error}");
    }
    connection.close().await.expect("close the connection");
}

pub(crate) async fn value<T: TryGetable + Send>(url: &str, sql: &str) -> T {
    let values = column(url, sql).await;
    let first = values.into_iter().next();
    first.unwrap_or_else(|| panic!("{sql}: no row"))
}

async fn column<T: TryGetable + Send>(url: &str, sql: &str) -> Vec<T> {
    let connection = connect(url).await;
    let statement = Statement::from_string(DbBackend::MySql, sql);
    let rows = match connection.query_all_raw(statement).await {
        Ok(rows) => rows,
        Err(error) => panic!("{sql}: {error}"),
    };
    let value = |row: sea_orm::QueryResult| row.try_get_by_index(0).expect("the column's type");
    let values = rows.into_iter().map(value).collect();
    connection.close().await.expect("close the connection");
    values
}

async fn hold(url: &str, sql: &str) -> Held {
    loop {
        let transaction = connect(url).await.begin().await.expect("a transaction");
        let query = async |sql: &str| {
            let statement = Statement::from_string(DbBackend::MySql, sql);
            transaction.query_all_raw(statement).await
        };
        let id = query("SELECT CONNECTION_ID()").await.expect("an answer");
        let connection_id = id[0].try_get_by_index(0).expect("a connection's id");
        match transaction.execute_unprepared(sql).await {
            Ok(_) => {
                return Held {
                    transaction: Some(transaction),
                    connection_id,
                    url: url.to_owned(),
                };
            }
            // Whoever was chosen to give way to others may try again.
            Err(error) if error.to_string().contains("Deadlock") => {}
            Err(error) => panic!("{sql}: {error}"),
        }
    }
}
