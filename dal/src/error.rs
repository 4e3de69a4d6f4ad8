//! [`DalError`], and which errors of MySQL and the driver mean what.

use std::{io, sync::Arc};

use sea_orm::{
    DbErr, RuntimeErr, SqlErr,
    sqlx::{self, mysql::MySqlDatabaseError},
};

/// Why a call of this crate failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum DalError {
    /// A unique key already holds this value; nothing was written.
    #[error("a row with this key exists")]
    Duplicate,
    /// The row that the call needs doesn't exist; nothing was written.
    #[error("no such row")]
    NotFound,
    /// The idempotency key came with another request before; nothing was written.
    #[error("the idempotency key was used for something else")]
    KeyReused,
    /// The database can't be reached or refuses work. A write may or may not have happened.
    #[error("the database is unavailable: {0}")]
    Unavailable(#[source] DbErr),
    /// The deadline passed. A write may or may not have happened.
    #[error("the database took too long")]
    TimedOut,
    /// More reads than this process can have answered; nothing was asked. The servers may be well.
    #[error("too many reads wait for a connection to the database")]
    Overloaded,
    /// Too many videos of the author are processed or have failed; nothing was written.
    #[error("too many videos of this author are not ready")]
    TooManyUnfinished,
    /// Whom it is for has blocked who sends it; nothing was written.
    #[error("blocked")]
    Blocked,
    /// The next publish times are all taken; nothing was written.
    #[error(
        "no publish time is free: more videos than milliseconds, or the primary's clock was set back"
    )]
    NoPublishTime,
    /// Anything else: a bug, or a schema that doesn't fit.
    #[error(transparent)]
    Other(DbErr),
}

impl From<DbErr> for DalError {
    fn from(error: DbErr) -> Self {
        if is_deadline(&error) {
            Self::TimedOut
        } else if is_overloaded(&error) {
            Self::Overloaded
        } else if is_duplicate(&error) {
            Self::Duplicate
        } else if is_connection_fault(&error) {
            Self::Unavailable(error)
        } else {
            Self::Other(error)
        }
    }
}

impl DalError {
    /// Whether the transaction can be retried: the server rolled it back because of a deadlock or a lock timeout.
    pub(crate) fn is_conflict(&self) -> bool {
        matches!(self, Self::Other(error) if is_conflict(error))
    }

    /// Whether the server took nothing of it: see [`is_refused`].
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self, Self::Unavailable(error) if is_refused(error))
    }
}

/// The error of a deadline of ours, in the driver's type, so that it passes through sea-orm.
pub(crate) fn deadline_passed() -> DbErr {
    let timed_out = sqlx::Error::Io(io::ErrorKind::TimedOut.into());
    DbErr::Query(RuntimeErr::SqlxError(Arc::new(timed_out)))
}

/// The error of a pool whose queue is full, likewise.
pub(crate) fn overloaded() -> DbErr {
    let busy = sqlx::Error::Io(io::ErrorKind::ResourceBusy.into());
    DbErr::Query(RuntimeErr::SqlxError(Arc::new(busy)))
}

/// The queue of a pool of ours is full: that says nothing about the server.
pub(crate) fn is_overloaded(error: &DbErr) -> bool {
    matches!(driver_error(error), Some(sqlx::Error::Io(e)) if e.kind() == io::ErrorKind::ResourceBusy)
}

/// A unique key already holds the value.
pub(crate) fn is_duplicate(error: &DbErr) -> bool {
    matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_)))
}

/// A deadline of ours.
pub(crate) fn is_deadline(error: &DbErr) -> bool {
    matches!(driver_error(error), Some(sqlx::Error::Io(e)) if e.kind() == io::ErrorKind::TimedOut)
}

/// The connection broke under the statement. Another connection may well work.
pub(crate) fn is_broken_connection(error: &DbErr) -> bool {
    match driver_error(error) {
        // A certificate that isn't trusted isn't on another connection either.
        Some(sqlx::Error::Io(e)) if e.kind() == io::ErrorKind::InvalidData => false,
        Some(sqlx::Error::Io(_) | sqlx::Error::Protocol(_)) => {
            !is_deadline(error) && !is_overloaded(error)
        }
        // Killed by MariaDB, idle for too long by MySQL.
        _ => matches!(mysql_number(error), Some(1927 | 4031)),
    }
}

/// The server refused the statement: it is read-only because it isn't the primary any more, or it had closed the idle connection (MySQL).
/// Nothing of the transaction is kept, and a new connection may lead to a server that accepts it.
pub(crate) fn is_refused(error: &DbErr) -> bool {
    matches!(mysql_number(error), Some(1290 | 1836 | 4031))
}

/// No connection in time.
pub(crate) fn is_acquire(error: &DbErr) -> bool {
    matches!(error, DbErr::ConnectionAcquire(_))
}

/// The server can't be reached or can't work; the statement may succeed on another one.
pub(crate) fn is_connection_fault(error: &DbErr) -> bool {
    match error {
        _ if is_overloaded(error) => false,
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
        // Too many connections, shutting down, packets lost, read-only (a failover), connection killed.
        _ => match mysql_number(error) {
            Some(number) => {
                matches!(
                    number,
                    1040 | 1053 | 1077 | 1152..=1161 | 1290 | 1836 | 1927 | 4031
                )
            }
            None => matches!(
                driver_error(error),
                Some(
                    sqlx::Error::Io(_)
                        | sqlx::Error::Tls(_)
                        | sqlx::Error::Protocol(_)
                        | sqlx::Error::WorkerCrashed
                )
            ),
        },
    }
}

/// A locking read that doesn't wait was refused: somebody else has the lock. (MariaDB, MySQL.)
pub(crate) fn is_locked(error: &DbErr) -> bool {
    matches!(mysql_number(error), Some(1205 | 3572))
}

/// A deadlock or a lock timeout: the transaction must be rolled back.
pub(crate) fn is_conflict(error: &DbErr) -> bool {
    matches!(mysql_number(error), Some(1213 | 1205))
}

/// Unknown database, table or column: on a replica, a migration that hasn't arrived.
pub(crate) fn is_schema_behind(error: &DbErr) -> bool {
    matches!(mysql_number(error), Some(1049 | 1054 | 1146))
}

/// The server has no variable of that name.
pub(crate) fn is_unknown_variable(error: &DbErr) -> bool {
    matches!(mysql_number(error), Some(1193))
}

/// The account lacks the right.
pub(crate) fn is_forbidden(error: &DbErr) -> bool {
    matches!(mysql_number(error), Some(1044 | 1045 | 1142 | 1227))
}

/// A syntax error: the server doesn't know the statement.
pub(crate) fn is_syntax_error(error: &DbErr) -> bool {
    mysql_number(error) == Some(1064)
}

/// A column that takes no NULL was given one.
pub(crate) fn is_null_refused(error: &DbErr) -> bool {
    matches!(mysql_number(error), Some(1048))
}

/// Whether `error` is the violation of the unique key with this name.
pub(crate) fn violates_key(error: &DbErr, key: &str) -> bool {
    // "Duplicate entry '…' for key 'name'": MySQL puts "table." before the name, MariaDB does not.
    match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(message)) => message
            .rsplit('\'')
            .nth(1)
            .is_some_and(|name| name.rsplit('.').next() == Some(key)),
        _ => false,
    }
}

fn driver_error(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(e))
        | DbErr::Exec(RuntimeErr::SqlxError(e))
        | DbErr::Query(RuntimeErr::SqlxError(e)) => Some(e),
        _ => None,
    }
}

fn mysql_number(error: &DbErr) -> Option<u16> {
    match driver_error(error)? {
        sqlx::Error::Database(e) => e
            .try_downcast_ref::<MySqlDatabaseError>()
            .map(MySqlDatabaseError::number),
        _ => None,
    }
}
