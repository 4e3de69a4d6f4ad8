//! Who doesn't want to hear from whom: `blocks`, one row for each pair. Whoever is blocked may send the other no message and not follow them.

use marks::Subject;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, Statement, Value};

use crate::{
    DalError, Db, Page, Reader,
    counters::Counters,
    db::Transaction,
    ledger::{self, Counted, Deltas},
};

/// Blocks somebody, or doesn't any more; whether that changed anything. Idempotent.
pub async fn set(
    db: &Db,
    counters: &Counters,
    user_id: i64,
    blocked_id: i64,
    is_blocked: bool,
) -> Result<bool, DalError> {
    let work = Set {
        user_id,
        blocked_id,
        is_blocked,
    };
    ledger::commit(db, counters, work).await
}

struct Set {
    user_id: i64,
    blocked_id: i64,
    is_blocked: bool,
}

impl Transaction for Set {
    type Output = Counted<bool>;

    async fn run(&self, transaction: &DatabaseTransaction) -> Result<Self::Output, DalError> {
        let sql = match self.is_blocked {
            true => {
                "INSERT IGNORE INTO blocks (user_id, blocked_id, blocked_ms) VALUES (?, ?, CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED))"
            }
            false => "DELETE FROM blocks WHERE user_id = ? AND blocked_id = ?",
        };
        let values = [self.user_id.into(), self.blocked_id.into()];
        let statement = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
        let changed = transaction.execute_raw(statement).await?.rows_affected() > 0;
        Ok(Counted {
            output: changed,
            deltas: Deltas::default(),
            marked: vec![Subject::User(self.user_id)],
        })
    }
}

/// Whether `user_id` has blocked `other_id`; on the primary, for it decides a write: whether `other_id` may follow them or send them a message.
pub async fn has_blocked(db: &Db, user_id: i64, other_id: i64) -> Result<bool, DalError> {
    let statement = Statement::from_sql_and_values(
        DbBackend::MySql,
        "SELECT blocked_id FROM blocks WHERE user_id = ? AND blocked_id = ?",
        [user_id.into(), other_id.into()],
    );
    let row = db.read_own_writes().query_one_raw(statement).await?;
    Ok(row.is_some())
}

/// Whom a user has blocked: at most `limit`, those with the greatest ids first; those before the place `before` (absent: from the greatest).
pub async fn list(
    db: &Db,
    user_id: i64,
    before: Option<i64>,
    limit: u64,
    reader: &Reader,
) -> Result<Page<i64>, DalError> {
    let values: [Value; 3] = [
        user_id.into(),
        before.unwrap_or(i64::MAX).into(),
        limit.saturating_add(1).into(),
    ];
    let statement = Statement::from_sql_and_values(
        DbBackend::MySql,
        "SELECT blocked_id FROM blocks WHERE user_id = ? AND blocked_id < ? ORDER BY blocked_id DESC LIMIT ?",
        values,
    );
    let rows = db.read(reader).query_all_raw(statement).await?;
    let ids = rows.iter().map(|row| row.try_get("", "blocked_id"));
    let ids = ids.collect::<Result<Vec<i64>, _>>()?;
    Ok(Page::cut(ids, limit, |id: &i64| *id))
}
