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

/// A connection is given back to its pool after this. The pool checks whether it may still be used.
const MAX_HOLD_TIME: Duration = Duration::from_secs(1);

/// A connection that answered this recently is used without a check. Otherwise a separate BEGIN checks it. If it is broken, another
/// connection is tried.
const MAX_UNCHECKED_AGE: Duration = Duration::from_millis(50);
/// A column that [`Session::record_clock`] reads: the primary's clock.
pub(crate) const NOW: &str = "CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED) AS now_us";
/// By how much two clocks may drift apart while a connection is kept.
const DRIFT_US: i64 = 1_000;

/// How many broken connections in a row are replaced: as many as a pool may have.
const MAX_RECONNECTS: usize = 1024;

/// The limits of an optimistic batch, which writes without reading first. Up to the minimum, every batch is optimistic. Above it, a batch
/// is optimistic if each op of the earlier batches changed a row.
const MIN_OPTIMISTIC_BATCH: usize = 16;
const MAX_OPTIMISTIC_BATCH: usize = 256;

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
    /// The largest batch that is optimistic now. See [`Session::is_optimistic`].
    max_optimistic: usize,
}

struct Kept {
    connection: PoolConnection<MySql>,
    taken_out: Instant,
    /// Whether a transaction may be open, or an answer under way. Such a connection must not go back to the pool.
    is_open: bool,
    clock: Option<ClockReading>,
}

/// A reading of the primary's clock on this connection. (As with leases: clocks are slewed, not set.)
#[derive(Clone, Copy)]
struct ClockReading {
    /// UTC.
    now_us: i64,
    /// This process's time when the answer arrived, so slightly later than the reading.
    read_at: Instant,
}

impl Session {
    pub(crate) fn new(db: Db) -> Self {
        Self {
            db,
            kept: None,
            max_optimistic: MIN_OPTIMISTIC_BATCH,
        }
    }

    /// Whether a batch of so many ops is optimistic: each op probably changes a row, so reading first would only cost a round trip.
    pub(crate) fn is_optimistic(&self, ops: usize) -> bool {
        ops <= self.max_optimistic
    }

    /// Records the outcome of a batch of so many ops: whether each op changed a row.
    pub(crate) fn record_outcome(&mut self, ops: usize, each: bool) {
        self.max_optimistic = match each {
            true => self
                .max_optimistic
                .max(ops.saturating_mul(2).min(MAX_OPTIMISTIC_BATCH)),
            false if ops >= MIN_OPTIMISTIC_BATCH => (ops / 2).max(MIN_OPTIMISTIC_BATCH),
            false => self.max_optimistic,
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

    /// Makes sure that the connection works and that the server's clock is known. Returns whether this began a transaction.
    pub(crate) async fn begin(&mut self) -> Result<bool, DbErr> {
        let clock = self.connection().await?.clock;
        if clock.is_some_and(|clock| clock.read_at.elapsed() < MAX_UNCHECKED_AGE) {
            return Ok(false);
        }
        let mut repeats = MAX_RECONNECTS;
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
                    self.record_clock(row)?;
                    return Ok(true);
                }
            }
        }
    }

    /// Records the clock from a row with [`NOW`] that has just arrived.
    pub(crate) fn record_clock(&mut self, row: Option<&QueryResult>) -> Result<(), DbErr> {
        let row = row.ok_or_else(|| pool::protocol_error("no time was told"))?;
        let clock = ClockReading {
            now_us: row.try_get("", "now_us")?,
            read_at: Instant::now(),
        };
        if let Some(kept) = &mut self.kept {
            kept.clock = Some(clock);
        }
        Ok(())
    }

    /// The SQL condition that `deadline` hasn't passed on the primary. None if its clock isn't known.
    pub(crate) fn deadline_condition(&self, deadline: Instant) -> Option<String> {
        let ClockReading { now_us, read_at } = self.kept.as_ref()?.clock?;
        let left = deadline.saturating_duration_since(read_at).as_micros();
        let until = now_us.saturating_add(i64::try_from(left).unwrap_or(i64::MAX)) - DRIFT_US;
        Some(format!("UNIX_TIMESTAMP(NOW(6)) * 1000000 <= {until}"))
    }

    /// The clock isn't what it was taken for.
    pub(crate) fn forget_clock(&mut self) {
        if let Some(kept) = &mut self.kept {
            kept.clock = None;
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
        let is_old = |kept: &Kept| kept.taken_out.elapsed() >= MAX_HOLD_TIME;
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
            kept.is_open || (age < MAX_HOLD_TIME && self.db.may_keep(age))
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
                clock: None,
            })),
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.release();
    }
}
