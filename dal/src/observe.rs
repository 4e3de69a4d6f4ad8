//! Metrics and traces of statements, by verb and by the server that answered.

use std::{future::Future, time::Instant};

use sea_orm::DbErr;
use telemetry::{
    metrics::{self, Routing, Server, SqlFailure, Verb},
    trace,
};
use tracing::Instrument as _;

use crate::{DalError, error};

/// Records how long `work` takes on `server`, and how it fails. A transaction is observed as a whole.
pub(crate) async fn observed<T, E: Failure>(
    verb: Verb,
    server: Server,
    routing: Routing,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let start = Instant::now();
    let span = trace::sql(verb, server, routing);
    let result = work.instrument(span.clone()).await;
    metrics::sql(verb, server, routing, start.elapsed());
    if let Err(error) = &result
        && let Some(kind) = error.kind()
    {
        metrics::sql_failed(server, kind);
        if !matches!(kind, SqlFailure::Duplicate) {
            trace::failed(&span);
        }
    }
    result
}

/// [`observed`], for work that always goes to the primary.
pub(crate) async fn on_primary<T, E: Failure>(
    verb: Verb,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    observed(verb, Server::Primary, Routing::Verb, work).await
}

/// An error of a statement.
pub(crate) trait Failure {
    /// `None` for an outcome that isn't a failure of SQL.
    fn kind(&self) -> Option<SqlFailure>;
}

impl Failure for DbErr {
    fn kind(&self) -> Option<SqlFailure> {
        Some(if error::is_deadline(self) {
            SqlFailure::TimedOut
        } else if error::is_connection_fault(self) {
            SqlFailure::Connection
        } else if error::is_conflict(self) {
            SqlFailure::Conflict
        } else if error::is_duplicate(self) {
            SqlFailure::Duplicate
        } else {
            SqlFailure::Other
        })
    }
}

impl Failure for DalError {
    fn kind(&self) -> Option<SqlFailure> {
        match self {
            Self::NotFound
            | Self::Blocked
            | Self::KeyReused
            | Self::TooManyUnfinished
            | Self::NoPublishTime => None,
            Self::Duplicate => Some(SqlFailure::Duplicate),
            Self::TimedOut => Some(SqlFailure::TimedOut),
            // Never sent, so no failure of a statement.
            Self::Overloaded => None,
            Self::Unavailable(_) => Some(SqlFailure::Connection),
            Self::Other(error) => error.kind(),
        }
    }
}
