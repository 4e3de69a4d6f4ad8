//! Blocks: one row in `blocks` for each pair of blocker and blocked. The blocked user can't send messages to the other or follow them.

use std::collections::BTreeSet;

use marks::Subject;
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, QueryResult, Statement, Value,
};

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

/// Who writes to whom: it is refused where the second has blocked the first.
pub(crate) type Sender = (i64, i64);

/// An expression: none of these is blocked. In the transaction of the write, so that it costs no trip.
pub(crate) fn none_of(senders: &BTreeSet<Sender>) -> String {
    format!(
        "NOT EXISTS (SELECT 1 FROM blocks WHERE {})",
        condition(senders)
    )
}

/// The SELECT for those that are blocked; [`found`] reads its rows.
pub(crate) fn select_sql(senders: &BTreeSet<Sender>) -> String {
    let condition = condition(senders);
    format!("SELECT user_id, blocked_id FROM blocks WHERE {condition}")
}

/// Whole numbers: nothing to escape.
fn condition(senders: &BTreeSet<Sender>) -> String {
    let pairs = senders
        .iter()
        .map(|(from, to)| format!("(user_id = {to} AND blocked_id = {from})"));
    let pairs: Vec<String> = pairs.collect();
    match pairs.is_empty() {
        true => "FALSE".to_owned(),
        false => pairs.join(" OR "),
    }
}

/// Who is blocked, from the rows of a [`select_sql`].
pub(crate) fn found(rows: &[QueryResult]) -> Result<BTreeSet<Sender>, DbErr> {
    rows.iter()
        .map(|row| Ok((row.try_get("", "blocked_id")?, row.try_get("", "user_id")?)))
        .collect()
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
