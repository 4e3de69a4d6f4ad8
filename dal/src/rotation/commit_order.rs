//! Whether a replica commits in the primary's order. Reads rely on that: what a later commit shows, an earlier one must have shown before,
//! or whoever polls a chat with the newest time seen would miss a message.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, QueryResult, Statement};

use crate::{error, gtid::Dialect};

/// MariaDB keeps the order within a domain of GTIDs, in every parallel mode, and between domains only without parallel threads.
const MARIADB: &str = "SELECT CAST(@@global.slave_parallel_threads AS SIGNED) AS workers, \
     CAST(@@global.gtid_slave_pos LIKE '%,%' AS SIGNED) AS is_loose";
/// MySQL keeps the order with one worker, or when it is told to. The newest words first; MySQL before 8.0.26 knows only the second form.
const MYSQL: [&str; 2] = [
    "SELECT CAST(@@global.replica_parallel_workers AS SIGNED) AS workers, \
     CAST(@@global.replica_preserve_commit_order = 0 AS SIGNED) AS is_loose",
    "SELECT CAST(@@global.slave_parallel_workers AS SIGNED) AS workers, \
     CAST(@@global.slave_preserve_commit_order = 0 AS SIGNED) AS is_loose",
];

/// Why a replica may commit in another order than the primary; none: it doesn't.
pub(super) async fn why_loose(
    session: &DatabaseConnection,
    dialect: Dialect,
) -> Result<Option<&'static str>, DbErr> {
    let (questions, why) = match dialect {
        Dialect::MariaDb => (
            &[MARIADB][..],
            "it applies several domains of GTIDs in parallel, so out of order: slave_parallel_threads must be 0 on it, \
             or gtid_domain_id the same on every primary",
        ),
        Dialect::MySql => (
            &MYSQL[..],
            "it commits out of order: replica_preserve_commit_order must be ON on it",
        ),
    };
    Ok(first_known(session, questions)
        .await?
        .as_ref()
        .map(is_loose)
        .transpose()?
        .unwrap_or(false)
        .then_some(why))
}

fn is_loose(row: &QueryResult) -> Result<bool, DbErr> {
    let (workers, is_loose): (i64, i64) =
        (row.try_get("", "workers")?, row.try_get("", "is_loose")?);
    Ok(workers > 1 && is_loose != 0)
}

/// The answer to the first question whose variables the server has; none: it has none of them, and applies one commit after the other.
async fn first_known(
    session: &DatabaseConnection,
    questions: &[&str],
) -> Result<Option<QueryResult>, DbErr> {
    for question in questions {
        let ask = Statement::from_string(DbBackend::MySql, *question);
        match session.query_one_raw(ask).await {
            Err(error) if error::is_unknown_variable(&error) => {}
            row => return row,
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use testkit::Database;

    use super::*;

    async fn session() -> (Database, DatabaseConnection) {
        let database = Database::create().await;
        let mysql = crate::plans::mysql(&database);
        let limit = std::time::Duration::from_secs(5);
        let session = crate::pool::open_replica(&mysql.primary_url, 1, limit).unwrap();
        (database, session)
    }

    #[tokio::test]
    async fn only_several_workers_without_an_order_are_loose() {
        let (_database, session) = session().await;
        for (workers, loose, expected) in
            [(0, 1, false), (1, 1, false), (2, 0, false), (2, 1, true)]
        {
            let sql = format!(
                "SELECT CAST({workers} AS SIGNED) AS workers, CAST({loose} AS SIGNED) AS is_loose"
            );
            let row = first_known(&session, &["SELECT @@global.no_such_variable", &sql]).await;
            assert_eq!(is_loose(&row.unwrap().unwrap()).unwrap(), expected);
        }
        // A server that has none of the variables, and one that is ours.
        let (others, ours): (&[&str], _) = match testkit::Engine::of_tests() {
            testkit::Engine::MariaDb => (&MYSQL, Dialect::MariaDb),
            testkit::Engine::MySql(_) => (&[MARIADB], Dialect::MySql),
        };
        let unknown = first_known(&session, others).await.unwrap();
        assert!(unknown.is_none());
        let why = why_loose(&session, ours).await.unwrap();
        assert_eq!(why, None);
    }
}
