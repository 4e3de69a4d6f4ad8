//! The error of a verb that is asked for the other's work.

use sea_orm::DbErr;

/// A verb has only what sea-orm needs of it: a read executes nothing, a write asks nothing.
pub(super) fn wrong_verb() -> DbErr {
    DbErr::Custom("this verb doesn't do that".to_owned())
}
