//! Adds up rows of the ledger: reads them from the low-water mark on, and moves each batch into `counters` in a transaction.
//!
//! A batch deletes its rows, adds up, and commits only if as many rows were deleted as were read. So a row is added once, even if two
//! folders are at it, or one was paused, cut off or killed. Committed rows never change, so reading them takes no locks.

use std::{collections::BTreeMap, fmt::Write as _};

use futures::future::try_join_all;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, Statement,
    TransactionTrait as _,
};

use super::{low_water_mark, step::step};
use crate::{Db, error, pool::execute_text};

/// Ledger rows in a transaction of the folder.
pub(super) const BATCH: usize = 1000;

/// A row of the ledger.
pub(super) struct Row {
    id: i64,
    kind: i8,
    target_id: i64,
    delta: i64,
}

/// Adds up the ledger to its end and advances its low-water mark; returns how many rows that were. `session` holds the lock.
pub(super) async fn fold(
    db: &Db,
    session: &DatabaseTransaction,
    workers: usize,
) -> Result<usize, DbErr> {
    let mark = step(low_water_mark::read(session)).await?;
    let mut helpers = Vec::new();
    let result = to_the_end(db, session, mark.low, workers, &mut helpers).await;
    for helper in helpers {
        helper.close().await;
    }
    let folded = result?;
    step(low_water_mark::advance(session, &mark)).await?;
    Ok(folded)
}

async fn to_the_end(
    db: &Db,
    session: &DatabaseTransaction,
    mark: i64,
    workers: usize,
    helpers: &mut Vec<Helper>,
) -> Result<usize, DbErr> {
    let (mut after, mut folded, mut limit) = (mark, 0, BATCH);
    loop {
        let rows = step(newest_rows(session, after, limit)).await?;
        let (read, is_backlog) = (rows.len(), rows.len() >= limit);
        let Some(last) = rows.last() else { break };
        after = last.id;
        if helpers.is_empty() {
            step(add_up(session, &rows)).await?;
        } else {
            // The counters of one worker are no other's, so none waits for another.
            let mut shares: Vec<Vec<Row>> = helpers.iter().map(|_| Vec::new()).collect();
            for row in rows {
                let share = share_of(&row, shares.len());
                if let Some(share) = shares.get_mut(share) {
                    share.push(row);
                }
            }
            let work = helpers.iter().zip(&shares);
            try_join_all(work.map(|(helper, share)| step(add_up(&helper.session, share)))).await?;
        }
        folded += read;
        if !is_backlog {
            break;
        }
        if helpers.is_empty() && workers > 1 {
            for _ in 0..workers {
                helpers.push(step(Helper::open(db)).await?);
            }
            limit = BATCH * workers;
        }
    }
    Ok(folded)
}

/// The rows behind `after` that are committed, by their ids. What a transaction that is still open has appended isn't among them: the next
/// round, which begins at the mark again, finds it.
pub(super) async fn newest_rows<C: ConnectionTrait>(
    session: &C,
    after: i64,
    limit: usize,
) -> Result<Vec<Row>, DbErr> {
    let rows = session.query_all_raw(newest_after(after, limit)).await?;
    rows.iter()
        .map(|row| {
            Ok(Row {
                id: row.try_get("", "id")?,
                kind: row.try_get("", "kind")?,
                target_id: row.try_get("", "target_id")?,
                delta: row.try_get("", "delta")?,
            })
        })
        .collect()
}

/// The statement for that.
pub(crate) fn newest_after(after: i64, limit: usize) -> Statement {
    let sql = format!(
        "SELECT id, kind, target_id, delta FROM ledger FORCE INDEX (PRIMARY) WHERE id > ? ORDER BY id LIMIT {limit}"
    );
    Statement::from_sql_and_values(DbBackend::MySql, sql, [after.into()])
}

/// Which of so many workers has the counter of this row.
fn share_of(row: &Row, workers: usize) -> usize {
    let target = row.target_id.cast_unsigned() ^ (u64::from(row.kind.cast_unsigned()) << 56);
    // Fibonacci hashing: ids are dense, and the upper bits of the product are spread evenly.
    let hash = target.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
    usize::try_from(hash).unwrap_or_default() % workers.max(1)
}

/// Moves these rows into `counters`, in one transaction and one trip.
pub(super) async fn add_up(session: &DatabaseTransaction, rows: &[Row]) -> Result<(), DbErr> {
    if rows.is_empty() {
        return Ok(());
    }
    // A sum of 0 counts too: Redis may have been told of some of these deltas and not of others.
    let mut sums: BTreeMap<(i8, i64), i64> = BTreeMap::new();
    for row in rows {
        let sum = sums.entry((row.kind, row.target_id)).or_default();
        *sum = sum.saturating_add(row.delta);
    }
    let ids: Vec<String> = rows.iter().map(|row| row.id.to_string()).collect();
    // In order, or the optimizer may read the whole of a short table, and wait there for rows of transactions that are open.
    let mut sql = format!(
        "SET @round = (SELECT compare_round FROM folder WHERE id = 1); \
         DELETE FROM ledger WHERE id IN ({}) ORDER BY id LIMIT {}; \
         INSERT INTO counters (kind, target_id, value, compare_round) VALUES ",
        ids.join(", "),
        ids.len()
    );
    for (n, ((kind, id), sum)) in sums.iter().enumerate() {
        // Whole numbers: nothing to escape. Writing to a string can't fail. The sessions are strict: NULL is refused.
        let _ = match n {
            0 => {
                let all = rows.len();
                write!(
                    sql,
                    "(IF(ROW_COUNT() = {all}, {kind}, NULL), {id}, {sum}, @round)"
                )
            }
            _ => write!(sql, ", ({kind}, {id}, {sum}, @round)"),
        };
    }
    sql.push_str(
        " ON DUPLICATE KEY UPDATE value = value + VALUES(value), compare_round = VALUES(compare_round); \
         COMMIT AND CHAIN",
    );
    match execute_text(session, &sql).await {
        Err(e) if error::is_null_refused(&e) => Err(DbErr::Custom(
            "another folder has added up the same rows; nothing was added twice".to_owned(),
        )),
        result => result.map(drop),
    }
}

/// A connection of a worker.
struct Helper {
    connection: DatabaseConnection,
    session: DatabaseTransaction,
}

impl Helper {
    async fn open(db: &Db) -> Result<Self, DbErr> {
        let connection = db.own_connection();
        let session = connection.begin().await?;
        Ok(Self {
            connection,
            session,
        })
    }

    /// What isn't committed is rolled back.
    async fn close(self) {
        drop(self.session);
        crate::lock::close(self.connection).await;
    }
}
