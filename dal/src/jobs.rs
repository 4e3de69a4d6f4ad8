//! Jobs: the table `jobs` has a row for each video that is to be processed. `transcoder` processes claim them under a lease.
//!
//! The token of an attempt owns the row from the claim on: with another token nothing is published. So an attempt that was stopped past its
//! lease changes nothing when it goes on. Jobs are claimed in the order of their turns, so that authors take turns.

pub(crate) mod claim;
mod finish;

use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, ExecResult, Statement, Value,
};

use crate::{DalError, Db, videos};

pub use claim::{claim, extend, refund_attempt};
pub use finish::{Failure, Replaced, fail, finish};

/// Turns from here on are of videos that were published before there were jobs: they come last.
const LOW_PRIORITY: i64 = 1_000_000_000_000;
const NOW_MS: &str = "CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)";

/// An attempt at a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// From 1 up.
    pub id: i64,
    /// The video that it makes ready.
    pub video_id: i64,
    /// Whose it is.
    pub author_id: i64,
    /// Names the attempt.
    pub token: String,
    /// Its number, from 1 up.
    pub attempt: i32,
    /// Whether the lease of the attempt before it ran out: its process was killed, or the database was away.
    pub was_abandoned: bool,
    /// Where the object store has what was uploaded.
    pub source_key: String,
    /// Whether viewers have the video already, as it was uploaded.
    pub is_published: bool,
}

/// How many jobs wait, and how many are being worked on; reads all rows.
pub async fn backlog(db: &Db) -> Result<(u64, u64), DalError> {
    let sql = "SELECT COUNT(*) AS jobs, CAST(COALESCE(SUM(state), 0) AS SIGNED) AS taken FROM jobs";
    let statement = Statement::from_string(DbBackend::MySql, sql);
    let row = db.read_own_writes().query_one_raw(statement).await?;
    let row = row.ok_or(DalError::NotFound)?;
    let (jobs, taken): (i64, i64) = (row.try_get("", "jobs")?, row.try_get("", "taken")?);
    Ok((
        jobs.saturating_sub(taken).unsigned_abs(),
        taken.unsigned_abs(),
    ))
}

/// Checks that the author may add a job. It locks the author's row, so this author's publishes run one after the other. Fails with
/// [`DalError::TooManyUnfinished`] if `max` of their videos aren't ready.
pub(crate) async fn admit(
    transaction: &DatabaseTransaction,
    author_id: i64,
    max: u64,
) -> Result<(), DalError> {
    let sql =
        "INSERT INTO job_turns (author_id, turn) VALUES (?, 0) ON DUPLICATE KEY UPDATE turn = turn";
    write(transaction, sql, [author_id.into()]).await?;
    // After the lock: the snapshot of this read has what those before have committed.
    let row = transaction
        .query_one_raw(videos::unfinished(author_id))
        .await?;
    let unfinished: Option<i64> = row.map(|row| row.try_get("", "unfinished")).transpose()?;
    match unfinished.unwrap_or_default().unsigned_abs() < max {
        true => Ok(()),
        false => Err(DalError::TooManyUnfinished),
    }
}

/// Adds a job for an author who was admitted. Its turn is the author's last one plus 1, and at least the current one: who adds many waits
/// for who adds few, and nobody for those who came later.
pub(crate) async fn add(
    transaction: &DatabaseTransaction,
    video_id: i64,
    author_id: i64,
) -> Result<(), DbErr> {
    let statement = Statement::from_sql_and_values(
        DbBackend::MySql,
        "SELECT MAX(IF(author_id = 0, turn, turn + 1)) AS turn FROM job_turns WHERE author_id IN (0, ?)",
        [author_id.into()],
    );
    let row = transaction.query_one_raw(statement).await?;
    let turn: Option<Option<i64>> = row.map(|row| row.try_get("", "turn")).transpose()?;
    let turn = turn.flatten().unwrap_or_default();
    let sql = "UPDATE job_turns SET turn = ? WHERE author_id = ?";
    write(transaction, sql, [turn.into(), author_id.into()]).await?;
    let sql = "INSERT INTO jobs (video_id, author_id, turn) VALUES (?, ?, ?)";
    write(
        transaction,
        sql,
        [video_id.into(), author_id.into(), turn.into()],
    )
    .await?;
    Ok(())
}

async fn write<C: ConnectionTrait>(
    connection: &C,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<ExecResult, DbErr> {
    let statement = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
    connection.execute_raw(statement).await
}
