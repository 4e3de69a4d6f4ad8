//! Tombstones: favorites, comments, follows and videos each keep the ids of the deleted videos and users that their rows may refer to.
//!
//! A write inserts its row first, and reads the tombstone afterwards, in the same transaction. A deletion commits its tombstone first, and
//! sweeps afterwards, with locking reads. So either the write finds the tombstone, or the sweep waits for the write and finds its row. The
//! read needs no lock, because each statement reads what was committed before it began (READ COMMITTED).

use std::{collections::BTreeSet, fmt::Write as _};

use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement};

use crate::{DalError, Db};

/// What is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Deleted {
    /// A video, by its id.
    Video(i64),
    /// An account, by its id.
    User(i64),
}

impl Deleted {
    fn parts(self) -> (i8, i64) {
        match self {
            Self::Video(id) => (1, id),
            Self::User(id) => (2, id),
        }
    }

    fn from_parts(kind: i8, id: i64) -> Option<Self> {
        match kind {
            1 => Some(Self::Video(id)),
            2 => Some(Self::User(id)),
            _ => None,
        }
    }
}

/// The tombstones of those who keep such rows.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tombstones {
    Favorites,
    Comments,
    Follows,
    Videos,
}

impl Tombstones {
    fn table(self) -> &'static str {
        match self {
            Self::Favorites => "favorite_tombstones",
            Self::Comments => "comment_tombstones",
            Self::Follows => "follow_tombstones",
            Self::Videos => "video_tombstones",
        }
    }

    /// Sets a tombstone. Idempotent. When this returns it is committed.
    pub(crate) async fn set(self, db: &Db, deleted: Deleted) -> Result<(), DalError> {
        let (kind, id) = deleted.parts();
        let sql = format!(
            "INSERT IGNORE INTO {} (kind, target_id) VALUES (?, ?)",
            self.table()
        );
        let values = [kind.into(), id.into()];
        let statement = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
        db.write().execute_raw(statement).await?;
        Ok(())
    }

    /// The SELECT for those of `any` that are deleted; [`found`] reads its rows.
    pub(crate) fn select_sql(self, any: &BTreeSet<Deleted>) -> String {
        format!(
            "SELECT kind, target_id FROM {} WHERE {}",
            self.table(),
            condition(any)
        )
    }

    /// An expression: none of `any` is deleted.
    pub(crate) fn none_of(self, any: &BTreeSet<Deleted>) -> String {
        format!(
            "NOT EXISTS (SELECT 1 FROM {} WHERE {})",
            self.table(),
            condition(any)
        )
    }

    /// Whether one is deleted, in a transaction that has inserted a row which refers to it.
    pub(crate) async fn has<C: ConnectionTrait>(
        self,
        transaction: &C,
        deleted: Deleted,
    ) -> Result<bool, DbErr> {
        let (kind, id) = deleted.parts();
        let sql = format!(
            "SELECT kind FROM {} WHERE kind = ? AND target_id = ?",
            self.table()
        );
        let values = [kind.into(), id.into()];
        let statement = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
        Ok(transaction.query_one_raw(statement).await?.is_some())
    }
}

/// A range of the primary key for each kind. Whole numbers: nothing to escape.
fn condition(any: &BTreeSet<Deleted>) -> String {
    let ids = |kind: i8| {
        let ids = any.iter().map(|deleted| deleted.parts());
        let ids: Vec<String> = ids
            .filter(|(of, _)| *of == kind)
            .map(|(_, id)| id.to_string())
            .collect();
        ids.join(", ")
    };
    let mut sql = String::from("FALSE");
    for kind in [1, 2] {
        let ids = ids(kind);
        if !ids.is_empty() {
            // Writing to a string can't fail.
            let _ = write!(sql, " OR (kind = {kind} AND target_id IN ({ids}))");
        }
    }
    sql
}

/// What is deleted, from the rows of a [`Tombstones::select_sql`].
pub(crate) fn found(rows: &[QueryResult]) -> Result<BTreeSet<Deleted>, DbErr> {
    let mut all = BTreeSet::new();
    for row in rows {
        all.extend(Deleted::from_parts(
            row.try_get("", "kind")?,
            row.try_get("", "target_id")?,
        ));
    }
    Ok(all)
}
