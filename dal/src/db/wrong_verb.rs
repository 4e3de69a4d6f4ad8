//! The error of a verb that is asked for the other's work.

use sea_orm::DbErr;

/// A read executes nothing, and a write queries nothing.
pub(super) fn wrong_verb() -> DbErr {
    DbErr::Custom("this verb doesn't do that".to_owned())
}
