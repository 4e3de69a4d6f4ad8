//! Deletes the follows of a deleted user, in both directions, one bounded batch at a time.

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

/// Sets the tombstone of a deleted user. From now on this user can't follow anybody, and nobody can follow them. [`sweep`] then deletes the
/// existing follows. Idempotent.
pub async fn set_tombstone(db: &Db, user_id: i64) -> Result<(), DalError> {
    Tombstones::Follows.set(db, Deleted::User(user_id)).await
}

/// Deletes at most `limit` follows of or by a deleted user, and returns how many. Fewer than `limit`: none are left. Counts and marks
/// follow as with an unfollow. [`set_tombstone`] must have been called.
pub async fn sweep(
    db: &Db,
    counters: &Counters,
    user_id: i64,
    limit: u64,
) -> Result<u64, DalError> {
    ledger::commit(db, counters, Sweep { user_id, limit }).await
}

struct Sweep {
    user_id: i64,
    limit: u64,
}

impl Transaction for Sweep {
    type Output = Counted<u64>;

    /// The reads lock, so they wait for a follow that is under way: that one looked for the tombstone before it was set.
    async fn run(&self, transaction: &DatabaseTransaction) -> Result<Self::Output, DalError> {
        let (mut deltas, mut marked) = (Deltas::default(), BTreeSet::new());
        let mut ids: Vec<i64> = Vec::new();
        for (index, column) in [
            ("follows_list", "user_id"),
            ("follows_followers", "followed_id"),
        ] {
            let left = self.limit.saturating_sub(ids.len() as u64);
            let sql = format!(
                "SELECT id, user_id, followed_id FROM follows FORCE INDEX ({index}) WHERE {column} = ? ORDER BY id LIMIT ? FOR UPDATE"
            );
            let values = [self.user_id.into(), left.into()];
            let select = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
            for row in transaction.query_all_raw(select).await? {
                let (user_id, followed_id) =
                    (row.try_get("", "user_id")?, row.try_get("", "followed_id")?);
                deltas.add(Counter::UserFollows(user_id), -1);
                deltas.add(Counter::UserFollowers(followed_id), -1);
                marked.extend([Subject::User(user_id), Subject::Followers(followed_id)]);
                ids.push(row.try_get("", "id")?);
            }
        }
        if !ids.is_empty() {
            // Whole numbers: nothing to escape.
            let list: Vec<String> = ids.iter().map(i64::to_string).collect();
            let delete = format!("DELETE FROM follows WHERE id IN ({})", list.join(", "));
            execute_text(transaction, &delete).await?;
        }
        Ok(Counted {
            output: ids.len() as u64,
            deltas,
            marked: marked.into_iter().collect(),
        })
    }
}
