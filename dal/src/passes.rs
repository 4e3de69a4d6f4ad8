//! Complete passes: compares all counters in Redis with MySQL when Redis may hold old values.
//!
//! That is at the start of a process, after a restart of Redis or a time without it, and once a period. A pass takes longer than a fold may
//! wait, so it has a lock of its own. A long pass may lose the lock; two passes at once do no harm.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::{DalError, Db, counters::Counters, lock::Lock, position};

const NOW_MS: &str = "CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)";

/// When this process must make a pass.
pub(crate) struct Passes {
    period: Duration,
    /// Whether none was made since the start, or since Redis was away.
    due: AtomicBool,
}

impl Passes {
    pub(crate) fn new(period: Duration) -> Self {
        Self {
            period,
            due: AtomicBool::new(true),
        }
    }

    /// Makes a pass due: Redis may have lost writes.
    pub(crate) fn redis_was_away(&self) {
        self.due.store(true, Ordering::Relaxed);
    }

    /// Makes a pass if one is due and no other process makes one.
    pub(crate) async fn round(&self, db: &Db, counters: &Counters) -> Result<(), DalError> {
        let Some(run_id) = counters.run_id().await else {
            self.redis_was_away();
            return Ok(());
        };
        if !self.due.load(Ordering::Relaxed) && !self.is_due(db, &run_id).await? {
            return Ok(());
        }
        let Some(lock) = Lock::take(db, "pass").await? else {
            return Ok(());
        };
        // Before the pass: a failure during the pass makes another one due.
        self.due.store(false, Ordering::Relaxed);
        let result = pass(db, counters, &run_id).await;
        lock.release().await;
        if result.is_err() {
            self.redis_was_away();
        }
        result
    }

    /// Whether the last pass of any process was of another run of Redis, or more than a period ago.
    async fn is_due(&self, db: &Db, run_id: &str) -> Result<bool, DalError> {
        let sql = format!(
            "SELECT 1 FROM folder WHERE id = 1 AND redis_run_id = ? AND redis_passed_ms > {NOW_MS} - ?"
        );
        let period_ms = i64::try_from(self.period.as_millis()).unwrap_or(i64::MAX);
        let values = [run_id.into(), period_ms.into()];
        let statement = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
        let recent = db.read_own_writes().query_one_raw(statement).await?;
        Ok(recent.is_none())
    }
}

async fn pass(db: &Db, counters: &Counters, run_id: &str) -> Result<(), DalError> {
    // Without GTIDs nothing in Redis is trusted, so there is nothing to repair.
    let Some(commit) = position::mark(db).await? else {
        return Ok(());
    };
    let position = commit.into();
    counters.scan_pass(position).await?;
    let sql =
        format!("UPDATE folder SET redis_run_id = ?, redis_passed_ms = {NOW_MS} WHERE id = 1");
    let statement = Statement::from_sql_and_values(DbBackend::MySql, sql, [run_id.into()]);
    db.write().execute_raw(statement).await?;
    Ok(())
}
