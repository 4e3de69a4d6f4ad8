//! One attempt to commit a batch. One round trip carries its statements, their deltas for the ledger, the COMMIT, and the query for the new
//! counts.

use std::{collections::HashMap, time::Instant};

use marks::Subject;
use sea_orm::{DbErr, QueryResult};

use super::session::{Answer, NOW, Sent, Session};
use crate::{
    DalError,
    counts::{self, Counter},
    error,
    gtid::Dialect,
    ledger::{self, Deltas, Exact, RedisUpdate},
    pool,
};

/// How a transaction begins.
pub(crate) type Begin = &'static [&'static str];
/// After one that is given up.
pub(crate) const BEGIN_ANEW: Begin = &["ROLLBACK", "BEGIN"];

/// What a batch has to work with.
pub(crate) struct Attempt<'a> {
    pub(super) session: &'a mut Session,
    pub(super) dialect: Dialect,
    /// It commits before that or not at all.
    pub(super) deadline: Instant,
    pub(super) update: &'a mut RedisUpdate,
}

/// What came of [`Attempt::commit`].
pub(crate) enum Outcome {
    /// It is committed.
    Committed(Committed),
    /// The condition didn't hold; the transaction is still open. What the statements before it answered.
    Refused(Vec<Answer>),
}

/// A commit that was made, or the finding that there was nothing to commit.
pub(crate) struct Committed {
    /// Of the statements before it.
    pub(crate) answers: Vec<Answer>,
    /// As read behind it.
    pub(super) exact: Result<Exact, DbErr>,
}

impl Attempt<'_> {
    /// How the first transaction of the attempt begins: nothing is left to do for that where the connection had to be tried.
    pub(crate) async fn begin(&mut self) -> Result<Begin, DbErr> {
        Ok(match self.session.begin().await? {
            true => &[],
            false => &["BEGIN"],
        })
    }

    /// Whether a batch of so many ops writes without reading first.
    pub(crate) fn is_optimistic(&self, ops: usize) -> bool {
        self.session.is_optimistic(ops)
    }

    /// Records whether each op of a batch of so many changed a row.
    pub(crate) fn record_outcome(&mut self, ops: usize, each: bool) {
        self.session.record_outcome(ops, each);
    }

    /// Begins a transaction, runs a query in it and returns the rows.
    pub(crate) async fn query(
        &mut self,
        begin: &[&str],
        select: &str,
    ) -> Result<Vec<QueryResult>, DbErr> {
        let [rows] = self.query_all(begin, [select]).await?;
        Ok(rows)
    }

    /// Like [`Self::query`], with several queries in one round trip.
    pub(crate) async fn query_all<const N: usize>(
        &mut self,
        begin: &[&str],
        selects: [&str; N],
    ) -> Result<[Vec<QueryResult>; N], DbErr> {
        let statements = [begin, &selects].concat();
        let Sent { answers, result } = self.session.send(statements.join("; ")).await;
        result?;
        let mut rows = answers.into_iter().skip(begin.len());
        Ok(std::array::from_fn(|_| {
            rows.next().map(|answer| answer.rows).unwrap_or_default()
        }))
    }

    /// Runs `statements` and commits with them what they count, in one trip: if `condition` holds behind them (an expression; none:
    /// always), and before the deadline. `marked`: who must see it at once.
    pub(crate) async fn commit(
        &mut self,
        mut statements: Vec<String>,
        condition: Option<&str>,
        deltas: &Deltas,
        marked: Vec<Subject>,
    ) -> Result<Outcome, DalError> {
        let deadline_condition = self.deadline_condition().await?;
        let condition = match condition {
            Some(condition) => format!("{condition} AND {deadline_condition}"),
            None => deadline_condition,
        };
        // Before those whose rows the condition counts.
        statements.insert(0, ledger::GENERATION.to_owned());
        let before = statements.len();
        statements.extend(ledger::append(deltas, Some(&condition)));
        statements.push("COMMIT".to_owned());
        let counters = deltas.counters();
        statements.extend(self.read_behind(&counters));
        *self.update = RedisUpdate { counters, marked };
        let Sent {
            mut answers,
            result,
        } = self.session.send(statements.join("; ")).await;
        let behind = answers.split_off(before.min(answers.len()));
        let is_whole = answers.len() == before;
        // The first one is ours.
        answers.drain(..answers.len().min(1));
        // The ledger and the commit.
        if behind.len() >= 2 {
            self.session.closed();
            let exact = match result {
                // Another engine that speaks MySQL, and has no GTIDs.
                Err(e) if error::is_unknown_variable(&e) => Ok((None, HashMap::new())),
                result => result.and_then(|()| self.exact(behind.get(2..).unwrap_or_default())),
            };
            return Ok(Outcome::Committed(Committed { answers, exact }));
        }
        match result {
            Err(e) if error::is_null_refused(&e) && is_whole => {
                // Whatever it was: nothing was committed.
                *self.update = RedisUpdate::default();
                Ok(Outcome::Refused(answers))
            }
            Err(e) => Err(e.into()),
            Ok(()) => Err(pool::protocol_error("answers are missing").into()),
        }
    }

    /// Ends the transaction: nothing was to be changed. `marked` must see what was found.
    pub(crate) async fn nothing_to_commit(
        &mut self,
        marked: Vec<Subject>,
    ) -> Result<Committed, DalError> {
        let newest = self.position(self.dialect.newest());
        let rows = self.query(&["ROLLBACK"], &newest).await;
        self.session.closed();
        *self.update = RedisUpdate {
            counters: Vec::new(),
            marked,
        };
        let exact = match rows {
            Err(e) if error::is_unknown_variable(&e) => Ok((None, HashMap::new())),
            rows => rows.and_then(|rows| Ok((self.dialect.commit(rows.first())?, HashMap::new()))),
        };
        let answers = Vec::new();
        Ok(Committed { answers, exact })
    }

    /// Call this after a refused commit whose statements changed what they should. True: the deadline has passed. False: something that the
    /// batch refers to is deleted or blocked, or the known clock may be wrong. Either way the clock is read again before the next commit.
    pub(crate) fn is_too_late(&mut self) -> bool {
        self.session.forget_clock();
        Instant::now() >= self.deadline
    }

    async fn deadline_condition(&mut self) -> Result<String, DbErr> {
        if self.session.deadline_condition(self.deadline).is_none() {
            let rows = self.query(&[], &format!("SELECT {NOW}")).await?;
            self.session.record_clock(rows.first())?;
        }
        let deadline_condition = self.session.deadline_condition(self.deadline);
        deadline_condition.ok_or_else(|| pool::protocol_error("no time was told"))
    }

    fn position(&self, expression: &str) -> String {
        format!("SELECT {expression} AS position, {NOW}")
    }

    /// The queries after a commit: for its position and the clock, then for the counts as of then or later. MariaDB reports a session's own
    /// commit, so one statement is enough if the commit has changed at least one of the counts. (As [`counts::after_commit`].)
    fn read_behind(&self, counters: &[Counter]) -> Vec<String> {
        match self.dialect {
            Dialect::MariaDb if !counters.is_empty() => {
                let columns = format!("{} AS position, {NOW}, ", self.dialect.last_commit());
                vec![counts::parts_text(counters, &columns)]
            }
            _ => vec![
                self.position(self.dialect.last_commit()),
                counts::parts_text(counters, ""),
            ],
        }
    }

    /// The answers to [`Self::read_behind`].
    fn exact(&mut self, answers: &[Answer]) -> Result<Exact, DbErr> {
        let (about, counted) = match answers {
            [both] => (both, both),
            [about, counted] => (about, counted),
            _ => return Err(pool::protocol_error("answers are missing")),
        };
        let row = about.rows.first();
        self.session.record_clock(row)?;
        let values = counts::values(&self.update.counters, &counted.rows)?;
        Ok((self.dialect.commit(row)?, values))
    }
}
