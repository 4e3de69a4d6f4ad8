//! Whether a replica commits in the primary's order. Reads rely on that: what a later commit shows, an earlier one must have shown before,
//! or whoever polls a chat with the newest time seen would miss a message.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, QueryResult, Statement};

use crate::{error, gtid::Dialect};

/// MariaDB keeps the order within a domain of GTIDs, in every parallel mode, and between domains only without parallel threads.
const MARIADB: &str = "SELECT CAST(@@global.slave_parallel_threads AS SIGNED) AS workers, \
     CAST(@@global.gtid_slave_pos LIKE '%,%' AS SIGNED) AS is_out_of_order";
/// MySQL keeps the order with one worker, or when it is told to. The newest words first; MySQL before 8.0.26 knows only the second form.
const MYSQL: [&str; 2] = [
    "SELECT CAST(@@global.replica_parallel_workers AS SIGNED) AS workers, \
     CAST(@@global.replica_preserve_commit_order = 0 AS SIGNED) AS is_out_of_order",
    "SELECT CAST(@@global.slave_parallel_workers AS SIGNED) AS workers, \
     CAST(@@global.slave_preserve_commit_order = 0 AS SIGNED) AS is_out_of_order",
];

/// Why a replica may commit in another order than the primary; none: it doesn't.
pub(super) async fn reason_out_of_order(
    session: &DatabaseConnection,
    dialect: Dialect,
) -> Result<Option<&'static str>, DbErr> {
    let (statements, why) = match dialect {
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
    Ok(first_known(session, statements)
        .await?
        .as_ref()
        .map(is_out_of_order)
        .transpose()?
        .unwrap_or(false)
        .then_some(why))
}

fn is_out_of_order(row: &QueryResult) -> Result<bool, DbErr> {
    let (workers, is_out_of_order): (i64, i64) = (
        row.try_get("", "workers")?,
        row.try_get("", "is_out_of_order")?,
    );
    Ok(workers > 1 && is_out_of_order != 0)
}

/// The answer to the first statement whose variables the server has. None: it has none of them, and applies one commit after the other.
async fn first_known(
    session: &DatabaseConnection,
    statements: &[&str],
) -> Result<Option<QueryResult>, DbErr> {
    for sql in statements {
        let statement = Statement::from_string(DbBackend::MySql, *sql);
        match session.query_one_raw(statement).await {
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
    async fn only_several_workers_without_an_order_are_out_of_order() {
        let (_database, session) = session().await;
        for (workers, unordered, expected) in
            [(0, 1, false), (1, 1, false), (2, 0, false), (2, 1, true)]
        {
            let sql = format!(
                "SELECT CAST({workers} AS SIGNED) AS workers, CAST({unordered} AS SIGNED) AS is_out_of_order"
            );
            let row = first_known(&session, &["SELECT @@global.no_such_variable", &sql]).await;
            assert_eq!(is_out_of_order(&row.unwrap().unwrap()).unwrap(), expected);
        }
        // A server that has none of the variables, and one that is ours.
        let (others, ours): (&[&str], _) = match testkit::Engine::of_tests() {
            testkit::Engine::MariaDb => (&MYSQL, Dialect::MariaDb),
            testkit::Engine::MySql(_) => (&[MARIADB], Dialect::MySql),
        };
        let unknown = first_known(&session, others).await.unwrap();
        assert!(unknown.is_none());
        let why = reason_out_of_order(&session, ours).await.unwrap();
        assert_eq!(why, None);
    }
}
