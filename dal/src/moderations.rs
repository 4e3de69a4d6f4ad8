//! What operators did, and why: `moderations`, one row each, written in the transaction of the deed.

use sea_orm::{DbBackend, Statement};

/// The row of a deed. `action`: a few words of ASCII; `reason`: 1 to 500 characters.
pub(crate) fn record(action: &str, target_id: i64, reason: &str) -> Statement {
    Statement::from_sql_and_values(
        DbBackend::MySql,
        "INSERT INTO moderations (action, target_id, reason, done_ms) \
         VALUES (?, ?, ?, CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED))",
        [action.into(), target_id.into(), reason.into()],
    )
}
