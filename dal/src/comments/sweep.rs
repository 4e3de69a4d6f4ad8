//! Deletes the comments of a deleted video or user, one bounded batch at a time.

use std::collections::BTreeSet;

use marks::Subject;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, Statement};

use crate::{
    DalError, Db,
    counters::Counters,
    counts::Counter,
    db::Transaction,
    ledger::{self, Counted, Deltas},
    pool::execute_text,
    tombstones::{Deleted, Tombstones},
};

/// Sets the tombstone of a deleted video or user. From now on nobody can comment on this video, and this user can't comment on anything.
/// [`sweep`] then deletes the existing comments. Idempotent.
pub async fn set_tombstone(db: &Db, deleted: Deleted) -> Result<(), DalError> {
    Tombstones::Comments.set(db, deleted).await
}

/// Deletes at most `limit` comments under a deleted video or by a deleted user, and returns how many. Fewer than `limit`: none are left.
/// Counts and marks follow as with a deletion by their writer. [`set_tombstone`] must have been called.
pub async fn sweep(
    db: &Db,
    counters: &Counters,
    deleted: Deleted,
    limit: u64,
) -> Result<u64, DalError> {
    ledger::commit(db, counters, Sweep { deleted, limit }).await
}

struct Sweep {
    deleted: Deleted,
    limit: u64,
}

impl Transaction for Sweep {
    type Output = Counted<u64>;

    /// The read locks, so it waits for a comment that is under way: that one looked for the tombstone before it was set.
    async fn run(&self, transaction: &DatabaseTransaction) -> Result<Self::Output, DalError> {
        let (index, column, id) = match self.deleted {
            Deleted::Video(id) => ("comments_video", "video_id", id),
            Deleted::User(id) => ("comments_user", "user_id", id),
        };
        let sql = format!(
            "SELECT id, video_id FROM comments FORCE INDEX ({index}) WHERE {column} = ? ORDER BY id LIMIT ? FOR UPDATE"
        );
        let values = [id.into(), self.limit.into()];
        let select = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
        let rows = transaction.query_all_raw(select).await?;
        let (mut deltas, mut marked) = (Deltas::default(), BTreeSet::new());
        let mut ids = Vec::new();
        for row in &rows {
            let video_id: i64 = row.try_get("", "video_id")?;
            deltas.add(Counter::VideoComments(video_id), -1);
            marked.insert(Subject::Video(video_id));
            ids.push(row.try_get::<i64>("", "id")?.to_string());
        }
        if !ids.is_empty() {
            // Whole numbers: nothing to escape.
            let delete = format!("DELETE FROM comments WHERE id IN ({})", ids.join(", "));
            execute_text(transaction, &delete).await?;
        }
        Ok(Counted {
            output: rows.len() as u64,
            deltas,
            marked: marked.into_iter().collect(),
        })
    }
}
