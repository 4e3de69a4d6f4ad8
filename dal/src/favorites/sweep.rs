//! Deletes the likes of a deleted video or user, one bounded batch at a time.

use std::{collections::BTreeSet, fmt::Write as _};

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

/// Sets the tombstone of a deleted video or user. From now on nobody can like this video, and this user can't like anything. [`sweep`] then
/// deletes the existing likes. Idempotent.
pub async fn set_tombstone(db: &Db, deleted: Deleted) -> Result<(), DalError> {
    Tombstones::Favorites.set(db, deleted).await
}

/// Deletes at most `limit` likes of a deleted video or by a deleted user, and returns how many. Fewer than `limit`: none are left. Counts
/// and marks follow as with an unlike. [`set_tombstone`] must have been called.
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

    /// The read locks, so it waits for a like that is under way: that one looked for the tombstone before it was set.
    async fn run(&self, transaction: &DatabaseTransaction) -> Result<Self::Output, DalError> {
        let (index, column, id) = match self.deleted {
            Deleted::Video(id) => ("favorites_video", "video_id", id),
            Deleted::User(id) => ("PRIMARY", "user_id", id),
        };
        let sql = format!(
            "SELECT user_id, video_id, author_id FROM favorites FORCE INDEX ({index}) WHERE {column} = ? LIMIT ? FOR UPDATE"
        );
        let values = [id.into(), self.limit.into()];
        let select = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
        let rows = transaction.query_all_raw(select).await?;
        let (mut deltas, mut marked) = (Deltas::default(), BTreeSet::new());
        let mut pairs = String::new();
        for row in &rows {
            let user_id: i64 = row.try_get("", "user_id")?;
            let video_id: i64 = row.try_get("", "video_id")?;
            let author_id: i64 = row.try_get("", "author_id")?;
            deltas.add(Counter::VideoFavorites(video_id), -1);
            deltas.add(Counter::UserFavorites(user_id), -1);
            deltas.add(Counter::UserFavorited(author_id), -1);
            marked.insert(Subject::User(user_id));
            let or = if pairs.is_empty() { "" } else { " OR " };
            // Whole numbers: nothing to escape. Writing to a string can't fail.
            let _ = write!(pairs, "{or}(user_id = {user_id} AND video_id = {video_id})");
        }
        if !rows.is_empty() {
            let delete =
                format!("DELETE favorites FROM favorites FORCE INDEX (PRIMARY) WHERE {pairs}");
            execute_text(transaction, &delete).await?;
        }
        Ok(Counted {
            output: rows.len() as u64,
            deltas,
            marked: marked.into_iter().collect(),
        })
    }
}
