//! A connection to the primary on which statements are sent as text, many in one trip.
//!
//! Text has no parameters: whoever builds it writes whole numbers as they are, and what a user wrote as hexadecimal digits.
//! A trip that may commit isn't repeated, so it isn't risked on a connection that may have broken since it was last heard of.

use std::time::{Duration, Instant};

use futures::TryStreamExt as _;
use sea_orm::{
    DbErr, QueryResult,
    sqlx::{self, Either, Executor as _, MySql, pool::PoolConnection},
};

use crate::{Db, error, pool};

/// A connection is given back to its pool after this, which looks whether it may still be used.
const MAX_KEPT: Duration = Duration::from_secs(1);

/// A connection that was heard of so lately counts as whole. One that isn't is found out by a BEGIN of its own, which is repeated on
/// another.
const WHOLE: Duration = Duration::from_millis(50);
/// A column that [`Session::heard`] reads: the primary's clock.
pub(crate) const NOW: &str = "CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED) AS now_us";
/// By how much two clocks may drift apart while a connection is kept.
const DRIFT_US: i64 = 1_000;

/// Connections that may turn out to be broken, one after the other: as many as a pool may have.
const MAX_BROKEN: usize = 1024;

/// A batch up to this size is always sent as if each op changed something, for one that doesn't is hardly in it; a larger one as long as
/// those before have been so.
const MIN_EXPECTED: usize = 16;
const MAX_EXPECTED: usize = 256;

/// What one statement answered.
#[derive(Default)]
pub(crate) struct Answer {
    pub(crate) rows: Vec<QueryResult>,
    /// Rows that it changed.
    pub(crate) changed: u64,
    /// The first id that it gave.
    pub(crate) first_id: u64,
}

/// What came of a text: the answers of the statements that were run, and the error of the one behind them, after which none was.
pub(crate) struct Sent {
    pub(crate) answers: Vec<Answer>,
    pub(crate) result: Result<(), DbErr>,
}

/// Keeps its connection from one batch to the next, for the pool asks the server each time one is given back.
pub(crate) struct Session {
    db: Db,
    kept: Option<Kept>,
    /// Ops of which a batch is expected to change something each. See [`Session::expects`].
    expected: usize,
}

struct Kept {
    connection: PoolConnection<MySql>,
    taken_out: Instant,
    /// Whether a transaction may be open, or an answer under way. Such a connection must not go back to the pool.
    is_open: bool,
    told: Option<Told>,
}

/// What the primary's clock said, on this connection. (As with leases: clocks are slewed, not set.)
#[derive(Clone, Copy)]
struct Told {
    /// UTC.
    now_us: i64,
    /// Later than it was said.
    heard: Instant,
}

impl Session {
    pub(crate) fn new(db: Db) -> Self {
        Self {
            db,
            kept: None,
            expected: MIN_EXPECTED,
        }
    }

    /// Whether a batch of so many ops is expected to change something by each, so that looking first would be a trip for nothing.
    pub(crate) fn expects(&self, ops: usize) -> bool {
        ops <= self.expected
    }

    /// What came of a batch of so many ops: whether each has changed something.
    pub(crate) fn found(&mut self, ops: usize, each: bool) {
        self.expected = match each {
            true => self.expected.max(ops.saturating_mul(2).min(MAX_EXPECTED)),
            false if ops >= MIN_EXPECTED => (ops / 2).max(MIN_EXPECTED),
            false => self.expected,
        };
    }

    /// Sends `text`, statements with a semicolon between them, in one trip. After an error the transaction may be open.
    pub(crate) async fn send(&mut self, text: String) -> Sent {
        let mut answers = Vec::new();
        let result = self.answers(text, &mut answers).await;
        Sent { answers, result }
    }

    async fn answers(&mut self, text: String, answers: &mut Vec<Answer>) -> Result<(), DbErr> {
        let kept = self.connection().await?;
        telemetry::cost::add_sql(1);
        kept.is_open = true;
        let mut rows = Vec::new();
        let mut parts = kept.connection.fetch_many(sqlx::AssertSqlSafe(text));
        while let Some(part) = parts.try_next().await.map_err(pool::statement_error)? {
            match part {
                Either::Right(row) => rows.push(QueryResult::from(row)),
                Either::Left(done) => answers.push(Answer {
                    rows: std::mem::take(&mut rows),
                    changed: done.rows_affected(),
                    first_id: done.last_insert_id(),
                }),
            }
        }
        Ok(())
    }

    /// Sees to a connection that is whole and whose clock is known; whether a transaction was begun for that.
    pub(crate) async fn begin(&mut self) -> Result<bool, DbErr> {
        let told = self.connection().await?.told;
        if told.is_some_and(|told| told.heard.elapsed() < WHOLE) {
            return Ok(false);
        }
        let mut repeats = MAX_BROKEN;
        loop {
            let Sent { answers, result } = self.send(format!("BEGIN; SELECT {NOW}")).await;
            match result {
                Err(e) if error::is_broken_connection(&e) && repeats > 0 => {
                    repeats -= 1;
                    self.release();
                }
                result => {
                    result?;
                    let row = answers.last().and_then(|answer| answer.rows.first());
                    self.heard(row)?;
                    return Ok(true);
                }
            }
        }
    }

    /// Takes note of a row with [`NOW`] that was just answered.
    pub(crate) fn heard(&mut self, row: Option<&QueryResult>) -> Result<(), DbErr> {
        let row = row.ok_or_else(|| pool::protocol_error("no time was told"))?;
        let told = Told {
            now_us: row.try_get("", "now_us")?,
            heard: Instant::now(),
        };
        if let Some(kept) = &mut self.kept {
            kept.told = Some(told);
        }
        Ok(())
    }

    /// A condition in SQL: it isn't later than `deadline` on the primary. None when its clock isn't known.
    pub(crate) fn not_after(&self, deadline: Instant) -> Option<String> {
        let Told { now_us, heard } = self.kept.as_ref()?.told?;
        let left = deadline.saturating_duration_since(heard).as_micros();
        let until = now_us.saturating_add(i64::try_from(left).unwrap_or(i64::MAX)) - DRIFT_US;
        Some(format!("UNIX_TIMESTAMP(NOW(6)) * 1000000 <= {until}"))
    }

    /// The clock isn't what it was taken for.
    pub(crate) fn forget_clock(&mut self) {
        if let Some(kept) = &mut self.kept {
            kept.told = None;
        }
    }

    /// Nothing is open any more.
    pub(crate) fn closed(&mut self) {
        if let Some(kept) = &mut self.kept {
            kept.is_open = false;
        }
    }

    /// Ends what is open, so that the next text may be sent. `is_usable`: the last text was answered.
    pub(crate) async fn reset(&mut self, is_usable: bool) {
        if is_usable && self.is_open() && self.send("ROLLBACK".to_owned()).await.result.is_ok() {
            self.closed();
        }
        if self.is_open() {
            self.release();
        }
    }

    fn is_open(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.is_open)
    }

    /// Gives back a connection that was kept for long enough.
    pub(crate) fn release_old(&mut self) {
        let is_old = |kept: &Kept| kept.taken_out.elapsed() >= MAX_KEPT;
        if self.kept.as_ref().is_some_and(is_old) {
            self.release();
        }
    }

    /// Gives the connection back to the pool.
    pub(crate) fn release(&mut self) {
        if let Some(kept) = self.kept.take()
            && kept.is_open
        {
            // The server rolls back when it finds the socket closed.
            drop(kept.connection.detach());
        }
    }

    async fn connection(&mut self) -> Result<&mut Kept, DbErr> {
        let is_usable = |kept: &Kept| {
            let age = kept.taken_out.elapsed();
            kept.is_open || (age < MAX_KEPT && self.db.may_keep(age))
        };
        if !self.kept.as_ref().is_some_and(is_usable) {
            self.release();
        }
        match &mut self.kept {
            Some(kept) => Ok(kept),
            none => Ok(none.insert(Kept {
                connection: self.db.connection().await?,
                taken_out: Instant::now(),
                is_open: false,
                told: None,
            })),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.release();
    }
}
