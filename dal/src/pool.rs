//! Opens the connection pools to MySQL with the project's session settings, and runs statements with a deadline or a retry.

mod read_pool;
mod switchover;

use std::{future::Future, sync::Arc, time::Duration};

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbErr, RuntimeErr, SqlxMySqlConnector,
    sqlx::{
        self, Connection, Executor, MySqlConnection, MySqlPool, Row,
        mysql::{MySqlConnectOptions, MySqlPoolOptions},
    },
};

use crate::error;

pub(crate) use read_pool::ReadPool;
pub(crate) use switchover::Switchover;

/// A connection that was idle for this long is pinged before use, so that a restarted server fails no request. Under load none is idle.
const PING_AFTER_IDLE: Duration = Duration::from_secs(1);
/// A connection to the primary is closed after this time, because its address may lead to another server by then. Opening one takes milliseconds.
const MAX_CONNECTION_LIFETIME: Duration = Duration::from_secs(60);
/// Statement texts kept prepared per connection. The driver's 100 are fewer than we have, and each eviction costs 40 ms: it
/// sends a packet without reply on a socket without `TCP_NODELAY`.
const STATEMENT_CACHE: usize = 2048;
/// Longer than a commit holds its locks while no replica acknowledges it (semi-sync timeout: 1 s).
pub(crate) const LOCK_WAIT: Duration = Duration::from_secs(2);

/// Set in every session. READ COMMITTED locks the rows that a statement names, and no gaps between them. A strict session refuses values
/// that don't fit.
const SESSION: &str = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED; \
     SET SESSION sql_mode = CONCAT_WS(',', @@sql_mode, 'STRICT_TRANS_TABLES'), innodb_lock_wait_timeout = ";

/// A pool of connections to the primary. Opens nothing yet: connections are made when needed, so that a server that is down doesn't
/// stop the start.
pub(crate) fn open_primary(
    url: &settings::Secret,
    max_connections: u32,
    acquire_timeout: Duration,
    switchover: &Arc<Switchover>,
) -> Result<DatabaseConnection, DbErr> {
    let (before, after) = (switchover.clone(), switchover.clone());
    let pool = options(max_connections, acquire_timeout)
        .max_lifetime(MAX_CONNECTION_LIFETIME)
        .before_acquire(move |connection, meta| {
            let switchover = before.clone();
            Box::pin(async move {
                if meta.age >= MAX_CONNECTION_LIFETIME || switchover.is_retired(meta.age) {
                    return Ok(false);
                }
                // Instead of a ping, in the same round trip.
                if meta.idle_for >= PING_AFTER_IDLE || switchover.is_read_only() {
                    return Ok(!is_read_only(connection).await?);
                }
                Ok(true)
            })
        })
        .after_release(move |_, meta| {
            let is_retired = after.is_retired(meta.age);
            Box::pin(async move { Ok(!is_retired) })
        });
    Ok(counted(pool.connect_lazy_with(prepared(url)?)))
}

/// A pool of connections to a replica. Opens nothing yet.
pub(crate) fn open_replica(
    url: &settings::Secret,
    max_connections: u32,
    acquire_timeout: Duration,
) -> Result<DatabaseConnection, DbErr> {
    let pool = options(max_connections, acquire_timeout).before_acquire(|connection, meta| {
        Box::pin(async move {
            if meta.idle_for >= PING_AFTER_IDLE {
                connection.ping().await?;
            }
            Ok(true)
        })
    });
    Ok(counted(pool.connect_lazy_with(prepared(url)?)))
}

fn options(max_connections: u32, acquire_timeout: Duration) -> MySqlPoolOptions {
    MySqlPoolOptions::new()
        .max_connections(max_connections)
        .acquire_timeout(acquire_timeout)
        .test_before_acquire(false)
        .after_connect(|connection, _| Box::pin(prepare(connection)))
}

fn prepared(url: &settings::Secret) -> Result<MySqlConnectOptions, DbErr> {
    Ok(parse(url)?.statement_cache_capacity(STATEMENT_CACHE))
}

/// Whether the server at the other end takes no writes: it isn't the primary any more, or not yet.
async fn is_read_only(connection: &mut MySqlConnection) -> Result<bool, sqlx::Error> {
    let row = connection.fetch_one("SELECT @@global.read_only").await?;
    Ok(row.try_get::<i64, _>(0)? != 0)
}

/// Which server a URL leads to: "host:port", the same text in every process.
pub(crate) fn address(url: &settings::Secret) -> Result<String, DbErr> {
    let options = parse(url)?;
    let host = options.get_host().to_ascii_lowercase();
    Ok(format!("{host}:{}", options.get_port()))
}

async fn prepare(connection: &mut MySqlConnection) -> Result<(), sqlx::Error> {
    let sql = format!("{SESSION}{}", LOCK_WAIT.as_secs());
    connection.execute(sqlx::AssertSqlSafe(sql)).await?;
    Ok(())
}

fn counted(pool: MySqlPool) -> DatabaseConnection {
    let mut connection = SqlxMySqlConnector::from_sqlx_mysql_pool(pool);
    // Called for every statement, except BEGIN, COMMIT, ROLLBACK and what is sent as text.
    connection.set_metric_callback(|_| telemetry::cost::add_sql(1));
    connection
}

/// A single connection to the server of `pool`, which is closed when it is released. In a pool the session would stay open, with the
/// locks that it holds.
pub(crate) fn unpooled(pool: &DatabaseConnection) -> DatabaseConnection {
    one_connection(pool, |options| {
        options.after_release(|_, _| Box::pin(async { Ok(false) }))
    })
}

/// A single connection to the server of `pool`, which stays open and is pinged before use: for polls, which must not wait for a
/// connection.
pub(crate) fn dedicated(pool: &DatabaseConnection) -> DatabaseConnection {
    one_connection(pool, |options| options)
}

fn one_connection(
    pool: &DatabaseConnection,
    change: impl FnOnce(MySqlPoolOptions) -> MySqlPoolOptions,
) -> DatabaseConnection {
    let pool = pool.get_mysql_connection_pool();
    let options = MySqlPoolOptions::new()
        .max_connections(1)
        .max_lifetime(None)
        .idle_timeout(None)
        .acquire_timeout(pool.options().get_acquire_timeout())
        .after_connect(|connection, _| Box::pin(prepare(connection)));
    counted(change(options).connect_lazy_with(pool.connect_options().as_ref().clone()))
}

/// Runs a statement without parameters as text. It isn't prepared, so there may be any number of different texts.
pub(crate) async fn execute_text<C: ConnectionTrait>(session: &C, sql: &str) -> Result<u64, DbErr> {
    telemetry::cost::add_sql(1);
    let result = session.execute_unprepared(sql).await?;
    Ok(result.rows_affected())
}

/// Where to connect to. Parsed here because sea-orm's own `connect` records the URL, with its password, in a span.
pub(crate) fn parse(url: &settings::Secret) -> Result<MySqlConnectOptions, DbErr> {
    url.expose().parse().map_err(connection_error)
}

/// An error of the driver outside a statement.
pub(crate) fn connection_error(error: sqlx::Error) -> DbErr {
    DbErr::Conn(RuntimeErr::SqlxError(Arc::new(error)))
}

/// An error of the driver in a statement.
pub(crate) fn statement_error(error: sqlx::Error) -> DbErr {
    DbErr::Exec(RuntimeErr::SqlxError(Arc::new(error)))
}

/// An answer that doesn't fit the statement.
pub(crate) fn protocol_error(what: &str) -> DbErr {
    statement_error(sqlx::Error::Protocol(what.to_owned()))
}

/// Runs `work` for at most `limit`.
pub(crate) async fn within<T, E: From<DbErr>>(
    limit: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    match tokio::time::timeout(limit, work).await {
        Ok(result) => result,
        Err(_) => Err(error::deadline_passed().into()),
    }
}

/// Runs `query`, and retries while the connection turns out to be broken. A broken connection leaves the pool, so with as many retries
/// as the pool has connections one of them gets a new connection. Only for what is harmless to repeat.
pub(crate) async fn retry_broken_connection<'a, T, F>(
    connection: &'a DatabaseConnection,
    query: impl Fn(&'a DatabaseConnection) -> F,
) -> Result<T, DbErr>
where
    F: Future<Output = Result<T, DbErr>>,
{
    let pool = connection.get_mysql_connection_pool();
    let mut repeats = pool.options().get_max_connections();
    loop {
        match query(connection).await {
            Err(e) if error::is_broken_connection(&e) && repeats > 0 => repeats -= 1,
            result => return result,
        }
    }
}
