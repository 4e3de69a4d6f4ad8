//! The two threads of a replica: one receives what the primary writes, the other applies it.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, QueryResult, Statement};

use crate::error;

/// The newest words first. MySQL before 8.0.22 knows only the second form, MySQL from 8.4 on only the first.
const STATUS: [&str; 2] = ["SHOW REPLICA STATUS", "SHOW SLAVE STATUS"];

/// Which of the replica's threads doesn't run. While the primary is away nothing can be received, and what was received is all
/// there is. A server that tells nothing of threads, or not to us, is judged by its position alone.
pub(super) async fn stopped(
    session: &DatabaseConnection,
    primary_answers: bool,
) -> Result<Option<&'static str>, DbErr> {
    let row = match first_understood(session, &STATUS).await {
        Err(error) if error::is_forbidden(&error) => None,
        row => row?,
    };
    let Some(row) = row else { return Ok(None) };
    let runs = |suffix: &str| -> Result<bool, DbErr> {
        // MariaDB says Slave, MySQL Replica.
        match row
            .column_names()
            .iter()
            .find(|name| name.ends_with(suffix))
        {
            Some(name) => Ok(row.try_get::<String>("", name)? == "Yes"),
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

/// The first row of the first of these statements that isn't a syntax error to this server.
async fn first_understood(
    session: &DatabaseConnection,
    statements: &[&str],
) -> Result<Option<QueryResult>, DbErr> {
    let mut outcome = Ok(None);
    for sql in statements {
        let ask = Statement::from_string(DbBackend::MySql, *sql);
        outcome = session.query_one_raw(ask).await;
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
