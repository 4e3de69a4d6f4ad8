//! Claims a job for an attempt, and keeps its lease.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, QueryResult, Statement};

use super::{Job, LOW_PRIORITY, NOW_MS, write};
use crate::{
    DalError, Db,
    counters::Counters,
    db::Transaction,
    ledger::{self, Counted, Deltas},
};

/// Claims the next job for the attempt `token`: one whose lease has run out, or else the first that waits. None: there is none. The attempts
/// of a job are counted here, so a process that is killed has made one.
pub async fn claim(
    db: &Db,
    counters: &Counters,
    token: &str,
    lease: Duration,
) -> Result<Option<Job>, DalError> {
    let claim = Claim {
        token: token.to_owned(),
        lease_ms: millis(lease),
    };
    ledger::commit(db, counters, claim).await
}

/// Renews the lease of an attempt, and notes its progress in percent. False: the job isn't this attempt's any more.
pub async fn extend(db: &Db, job: &Job, lease: Duration, progress: i8) -> Result<bool, DalError> {
    let sql = format!(
        "UPDATE jobs SET lease_until_ms = {NOW_MS} + ? WHERE id = ? AND token = ? AND state = 1"
    );
    let values = [
        millis(lease).into(),
        job.id.into(),
        job.token.as_str().into(),
    ];
    let extended = write(&db.write(), &sql, values).await?;
    if extended.rows_affected() == 0 {
        return Ok(false);
    }
    let sql = "UPDATE videos SET progress = ? WHERE id = ? AND state = 1";
    write(&db.write(), sql, [progress.into(), job.video_id.into()]).await?;
    Ok(true)
}

/// Takes one attempt off the job's count. For an attempt whose end couldn't be recorded although the process is alive and the video isn't
/// at fault. Not idempotent: a repeated call allows one more attempt. Succeeds if the job is gone.
pub async fn refund_attempt(db: &Db, job: &Job) -> Result<(), DalError> {
    let sql = "UPDATE jobs SET attempts = attempts - 1 WHERE id = ? AND attempts > 0";
    write(&db.write(), sql, [job.id.into()]).await?;
    Ok(())
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX / 4)
}

struct Claim {
    token: String,
    lease_ms: i64,
}

/// Locks a job that matches, the first by its turn; others that are locked are passed over.
pub(crate) fn first(condition: &str) -> Statement {
    let sql = format!(
        "SELECT id, video_id, author_id, turn, attempts FROM jobs FORCE INDEX (jobs_turn) \
         WHERE {condition} ORDER BY turn, id LIMIT 1 FOR UPDATE SKIP LOCKED"
    );
    Statement::from_string(DbBackend::MySql, sql)
}

pub(crate) fn abandoned() -> Statement {
    first(&format!("state = 1 AND lease_until_ms < {NOW_MS}"))
}

pub(crate) fn waiting() -> Statement {
    first(&format!("state = 0 AND not_before_ms <= {NOW_MS}"))
}

impl Transaction for Claim {
    type Output = Counted<Option<Job>>;

    async fn run(&self, transaction: &DatabaseTransaction) -> Result<Self::Output, DalError> {
        let abandoned = transaction.query_one_raw(abandoned()).await?;
        let was_abandoned = abandoned.is_some();
        let found = match abandoned {
            None => transaction.query_one_raw(waiting()).await?,
            abandoned => abandoned,
        };
        let job = match found {
            Some(row) => self.take(transaction, &row, was_abandoned).await?,
            None => None,
        };
        Ok(Counted {
            output: job,
            deltas: Deltas::default(),
            marked: Vec::new(),
        })
    }
}

impl Claim {
    async fn take(
        &self,
        transaction: &DatabaseTransaction,
        row: &QueryResult,
        was_abandoned: bool,
    ) -> Result<Option<Job>, DalError> {
        let (id, video_id): (i64, i64) = (row.try_get("", "id")?, row.try_get("", "video_id")?);
        let (turn, attempts): (i64, i32) = (row.try_get("", "turn")?, row.try_get("", "attempts")?);
        let sql = format!(
            "UPDATE jobs SET state = 1, token = ?, lease_until_ms = {NOW_MS} + ?, attempts = attempts + 1 WHERE id = ?"
        );
        let values = [self.token.as_str().into(), self.lease_ms.into(), id.into()];
        write(transaction, &sql, values).await?;
        if turn < LOW_PRIORITY {
            let sql = "UPDATE job_turns SET turn = GREATEST(turn, ?) WHERE author_id = 0";
            write(transaction, sql, [turn.into()]).await?;
        }
        let source = Statement::from_sql_and_values(
            DbBackend::MySql,
            "SELECT COALESCE(original_key, object_key) AS source_key, published_ms IS NOT NULL AS is_published FROM videos WHERE id = ?",
            [video_id.into()],
        );
        let Some(video) = transaction.query_one_raw(source).await? else {
            // The video was deleted.
            write(transaction, "DELETE FROM jobs WHERE id = ?", [id.into()]).await?;
            return Ok(None);
        };
        Ok(Some(Job {
            id,
            video_id,
            author_id: row.try_get("", "author_id")?,
            token: self.token.clone(),
            attempt: attempts.saturating_add(1),
            was_abandoned,
            source_key: video.try_get("", "source_key")?,
            is_published: video.try_get::<i64>("", "is_published")? != 0,
        }))
    }
}
