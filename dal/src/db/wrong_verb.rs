//! The error for a query on a write connection, or a write on a read connection.

use sea_orm::DbErr;

/// A read executes nothing, and a write queries nothing.
pub(super) fn wrong_verb() -> DbErr {
    DbErr::Custom("this verb doesn't do that".to_owned())
}
