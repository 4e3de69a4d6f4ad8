//! One attempt to commit a batch: its statements, what they count, and the question what the counts are now, in one trip.

use std::{collections::HashMap, time::Instant};

use marks::Subject;
use sea_orm::{DbErr, QueryResult};

use super::session::{Answer, NOW, Sent, Session};
use crate::{
    DalError,
    counts::{self, Counter},
    error,
    gtid::Dialect,
    ledger::{self, Changes, Deltas, Exact},
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
    pub(super) changes: &'a mut Changes,
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

    /// Whether a batch of so many ops is expected to change something by each.
    pub(crate) fn expects(&self, ops: usize) -> bool {
        self.session.expects(ops)
    }

    /// Notes whether each of so many ops has changed something.
    pub(crate) fn found(&mut self, ops: usize, each: bool) {
        self.session.found(ops, each);
    }

    /// Begins a transaction and asks something in it: the rows.
    pub(crate) async fn ask(
        &mut self,
        begin: &[&str],
        question: &str,
    ) -> Result<Vec<QueryResult>, DbErr> {
        let [rows] = self.ask_all(begin, [question]).await?;
        Ok(rows)
    }

    /// As [`Self::ask`], with several questions in one trip.
    pub(crate) async fn ask_all<const N: usize>(
        &mut self,
        begin: &[&str],
        questions: [&str; N],
    ) -> Result<[Vec<QueryResult>; N], DbErr> {
        let statements = [begin, &questions].concat();
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
        let not_after = self.not_after().await?;
        let condition = match condition {
            Some(condition) => format!("{condition} AND {not_after}"),
            None => not_after,
        };
        // Before those whose rows the condition counts.
        statements.insert(0, ledger::GENERATION.to_owned());
        let before = statements.len();
        statements.extend(ledger::append(deltas, Some(&condition)));
        statements.push("COMMIT".to_owned());
        let moved = deltas.counters();
        statements.extend(self.read_behind(&moved));
        *self.changes = Changes { moved, marked };
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
                *self.changes = Changes::default();
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
        let rows = self.ask(&["ROLLBACK"], &newest).await;
        self.session.closed();
        *self.changes = Changes {
            moved: Vec::new(),
            marked,
        };
        let exact = match rows {
            Err(e) if error::is_unknown_variable(&e) => Ok((None, HashMap::new())),
            rows => rows.and_then(|rows| Ok((self.dialect.commit(rows.first())?, HashMap::new()))),
        };
        let answers = Vec::new();
        Ok(Committed { answers, exact })
    }

    /// What a refusal means whose condition held: the deadline has passed, or the clock isn't what it was taken for, which is asked for
    /// again then.
    pub(crate) fn is_too_late(&mut self) -> bool {
        self.session.forget_clock();
        Instant::now() >= self.deadline
    }

    async fn not_after(&mut self) -> Result<String, DbErr> {
        if self.session.not_after(self.deadline).is_none() {
            let rows = self.ask(&[], &format!("SELECT {NOW}")).await?;
            self.session.heard(rows.first())?;
        }
        let not_after = self.session.not_after(self.deadline);
        not_after.ok_or_else(|| pool::protocol_error("no time was told"))
    }

    fn position(&self, expression: &str) -> String {
        format!("SELECT {expression} AS position, {NOW}")
    }

    /// What is asked behind a commit: its position and the clock, then the counts as of then or later. MariaDB tells a session's own commit, so one
    /// statement will do: the commit has changed at least one of the counts. (As [`counts::after_commit`].)
    fn read_behind(&self, moved: &[Counter]) -> Vec<String> {
        match self.dialect {
            Dialect::MariaDb if !moved.is_empty() => {
                let columns = format!("{} AS position, {NOW}, ", self.dialect.last_commit());
                vec![counts::parts_text(moved, &columns)]
            }
            _ => vec![
                self.position(self.dialect.last_commit()),
                counts::parts_text(moved, ""),
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
        self.session.heard(row)?;
        let values = counts::values(&self.changes.moved, &counted.rows)?;
        Ok((self.dialect.commit(row)?, values))
    }
}
