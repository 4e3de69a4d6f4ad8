//! Reads from a replica whether its two replication threads run: one receives what the primary writes, the other applies it.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, QueryResult, Statement};

use crate::error;

/// The newest words first. MySQL before 8.0.22 knows only the second form, MySQL from 8.4 on only the first.
const STATUS: [&str; 2] = ["SHOW REPLICA STATUS", "SHOW SLAVE STATUS"];

/// The replica's own status of its replication. None if it has none or our account may not see it: then only its position counts.
pub(super) async fn status(session: &DatabaseConnection) -> Result<Option<QueryResult>, DbErr> {
    match first_understood(session, &STATUS).await {
        Err(error) if error::is_forbidden(&error) => Ok(None),
        row => row,
    }
}

/// Which of the replica's threads doesn't run. While the primary is away the receiving thread can't run, so it isn't checked.
pub(super) fn stopped(
    status: Option<&QueryResult>,
    primary_answers: bool,
) -> Result<Option<&'static str>, DbErr> {
    let Some(status) = status else {
        return Ok(None);
    };
    // MariaDB says Slave, MySQL Replica.
    let runs = |suffix: &str| -> Result<bool, DbErr> {
        match column(status, |name| name.ends_with(suffix)) {
            Some(name) => Ok(status.try_get::<String>("", &name)? == "Yes"),
            None => Ok(true),
        }
    };
    if !runs("_SQL_Running")? {
        return Ok(Some("SQL"));
    }
    if primary_answers && !runs("_IO_Running")? {
        return Ok(Some("IO"));
    }
    Ok(None)
}

/// The lag as the replica itself reports it. Wrong if the replica is cut off, but then the receiving thread has stopped.
pub(super) fn seconds_behind(status: Option<&QueryResult>) -> Duration {
    let seconds = status.and_then(|status| {
        // Master or Source; signed or not.
        let name = column(status, |name| name.starts_with("Seconds_Behind"))?;
        let signed = status.try_get::<Option<i64>>("", &name).ok().flatten();
        let seconds = signed.and_then(|seconds| u64::try_from(seconds).ok());
        seconds.or_else(|| status.try_get::<Option<u64>>("", &name).ok().flatten())
    });
    Duration::from_secs(seconds.unwrap_or(0))
}

fn column(status: &QueryResult, is_it: impl Fn(&str) -> bool) -> Option<String> {
    status.column_names().into_iter().find(|name| is_it(name))
}

/// The first row of the first of these statements that isn't a syntax error to this server.
async fn first_understood(
    session: &DatabaseConnection,
    statements: &[&str],
) -> Result<Option<QueryResult>, DbErr> {
    let mut outcome = Ok(None);
    for sql in statements {
        let statement = Statement::from_string(DbBackend::MySql, *sql);
        outcome = session.query_one_raw(statement).await;
        match &outcome {
            Err(error) if error::is_syntax_error(error) => {}
            _ => break,
        }
    }
    outcome
}

#[cfg(test)]
mod tests {
    use testkit::Database;

    use super::*;

    #[tokio::test]
    async fn a_server_that_lacks_the_new_words_is_asked_with_the_old_ones() {
        let database = Database::create().await;
        let session = sea_orm::Database::connect(database.primary_url())
            .await
            .unwrap();
        let first = |statements: &'static [&'static str]| first_understood(&session, statements);
        let row = first(&["SHOW NEWER STATUS", "SELECT 1 AS it"])
            .await
            .unwrap();
        assert_eq!(row.unwrap().try_get::<i64>("", "it").unwrap(), 1);
        let refused = first(&["SHOW NEWER STATUS", "SHOW OLDER STATUS"]).await;
        assert!(error::is_syntax_error(&refused.unwrap_err()));
        // Any other refusal is an answer: nothing else is tried.
        let refused = first(&["SELECT 1 FROM nowhere", "SELECT 1 AS it"]).await;
        assert!(!error::is_syntax_error(&refused.unwrap_err()));
        session.close().await.unwrap();
    }
}
