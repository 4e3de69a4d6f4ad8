//! The ledger: a write appends the deltas of its counters in its own transaction, so rows and counts change together or not at all. After
//! the commit it tells Redis the exact counts and sets the marks.
//!
//! Nothing here updates a counter: `fold` does, later. A shared counter row would make all likers of a video wait for each other.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
    time::{Duration, Instant},
};

use marks::{Commit, Marks, Subject};
use sea_orm::{DatabaseTransaction, DbErr};
use telemetry::metrics::Verb;
use tracing::Instrument as _;

use crate::{
    DalError, Db,
    counters::Counters,
    counts::{self, Counter},
    db::{MAX_RETRIES, READ_DEADLINE, Transaction, WRITE_DEADLINE},
    error,
    observe::on_primary,
    pool::{execute_text, within},
    position::{self, Position},
};

/// The primary's clock, in microseconds.
pub(crate) const NOW_US: &str = "CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)";
/// How long an acknowledgement waits until nobody can miss the commit: more than the life of a lease, less than the deadline of a write.
const SETTLE_DEADLINE: Duration = Duration::from_secs(3);

/// The change of each counter. Counters that don't change aren't in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Deltas(BTreeMap<Counter, i64>);

impl Deltas {
    /// The change of one counter.
    pub(crate) fn of(counter: Counter, delta: i64) -> Self {
        let mut deltas = Self::default();
        deltas.add(counter, delta);
        deltas
    }

    /// Adds `delta` to the change of `counter`.
    pub(crate) fn add(&mut self, counter: Counter, delta: i64) {
        let sum = self.0.entry(counter).or_default();
        *sum = sum.saturating_add(delta);
        if *sum == 0 {
            self.0.remove(&counter);
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Counter, i64)> {
        self.0.iter().map(|(counter, delta)| (*counter, *delta))
    }

    fn counters(&self) -> Vec<Counter> {
        self.0.keys().copied().collect()
    }
}

/// The outcome of a transaction, the changes of counters, and which subjects must be marked.
pub(crate) struct Counted<T> {
    pub(crate) output: T,
    pub(crate) deltas: Deltas,
    /// The writer, and what was written to.
    pub(crate) marked: Vec<Subject>,
    /// The primary's clock, read in this transaction: then it commits before the deadline or not at all, however long the COMMIT takes to
    /// arrive. None: a late commit does no harm.
    pub(crate) clock: Option<Clock>,
}

/// A reading of the primary's clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    /// UTC, in microseconds.
    pub(crate) us: i64,
    /// When the answer arrived, which is after the clock was read.
    pub(crate) heard: Instant,
}

impl Clock {
    /// A reading that has just arrived.
    pub(crate) fn says(us: i64) -> Self {
        let heard = Instant::now();
        Self { us, heard }
    }

    /// The clock's time at `moment`, or a little less.
    fn at(self, moment: Instant) -> i64 {
        let left = moment.saturating_duration_since(self.heard);
        self.us
            .saturating_add(i64::try_from(left.as_micros()).unwrap_or(i64::MAX))
    }
}

/// What Redis must be told if the transaction commits.
#[derive(Default)]
struct Changes {
    moved: Vec<Counter>,
    marked: Vec<Subject>,
}

/// Appends `deltas` and commits, in one round trip. The connection stays in use, to be asked for its last commit.
///
/// If the primary's clock is past `not_after_us` when this arrives, the insert fails ([`error::is_null_refused`]) and nothing is committed.
pub(crate) async fn append_and_commit(
    transaction: &DatabaseTransaction,
    deltas: &Deltas,
    not_after_us: Option<i64>,
) -> Result<(), DbErr> {
    const INSERT: &str = "INSERT INTO ledger (kind, target_id, delta) VALUES ";
    // Whole numbers: nothing to escape. Writing to a string can't fail.
    let mut rows: Vec<String> = deltas
        .iter()
        .map(|(counter, delta)| {
            let (kind, id) = counter.parts();
            format!("({kind}, {id}, {delta})")
        })
        .collect();
    let mut sql = String::new();
    if let Some(not_after_us) = not_after_us
        && let Some(last) = rows.pop()
    {
        // As an insert of its own: in one of several rows a server may store 0 for NULL.
        let last = last.trim_start_matches('(');
        let (kind, rest) = last.split_once(',').unwrap_or_default();
        let _ = write!(
            sql,
            "{INSERT}(IF({NOW_US} <= {not_after_us}, {kind}, NULL),{rest}; "
        );
    }
    if !rows.is_empty() {
        sql.insert_str(0, &format!("{INSERT}{}; ", rows.join(", ")));
    }
    // When a statement fails, the server doesn't run those after it.
    sql.push_str("COMMIT");
    execute_text(transaction, &sql).await?;
    Ok(())
}

/// Commits `work` with its deltas in one transaction, then tells Redis, then returns. Retries after a deadlock or a lock timeout. Runs in a
/// task of its own: a caller that is dropped doesn't stop it half-way.
pub(crate) async fn commit<W, T>(db: &Db, counters: &Counters, work: W) -> Result<T, DalError>
where
    W: Transaction<Output = Counted<T>> + Send + 'static,
    T: Send + 'static,
{
    let (db, counters) = (db.clone(), counters.clone());
    let deadline = Instant::now() + WRITE_DEADLINE;
    let work =
        telemetry::cost::scope(async move { commit_here(&db, &counters, &work, deadline).await });
    let task = tokio::spawn(work.in_current_span());
    match task.await {
        Ok((result, spent)) => {
            telemetry::cost::add(spent);
            result
        }
        Err(_) => Err(DalError::Other(DbErr::Custom(
            "a transaction ended half-way".to_owned(),
        ))),
    }
}

/// [`commit`] in the caller's task, which must not be dropped, with the caller's deadline.
pub(crate) async fn commit_here<W, T>(
    db: &Db,
    counters: &Counters,
    work: &W,
    deadline: Instant,
) -> Result<T, DalError>
where
    W: Transaction<Output = Counted<T>>,
{
    let mut changes = Changes::default();
    let attempts = within(deadline.saturating_duration_since(Instant::now()), async {
        let mut repeats = 0;
        loop {
            match try_commit(db, work, deadline, &mut changes).await {
                Err(e) if repeats < MAX_RETRIES && db.may_retry(&e) => repeats += 1,
                result => return result,
            }
        }
    });
    let committed = on_primary(Verb::Write, attempts).await;
    let (session, output) = match committed {
        Ok(committed) => committed,
        Err(error) => {
            // It may have committed nevertheless: then Redis holds old values.
            if !changes.moved.is_empty() {
                counters.forget(&changes.moved).await;
            }
            if !changes.marked.is_empty()
                && let Some(marks) = db.marks()
            {
                marks.invalidate(&changes.marked);
            }
            return Err(error);
        }
    };
    publish(db, counters, session, &changes).await?;
    Ok(output)
}

/// One attempt.
async fn try_commit<W, T>(
    db: &Db,
    work: &W,
    deadline: Instant,
    changes: &mut Changes,
) -> Result<(DatabaseTransaction, T), DalError>
where
    W: Transaction<Output = Counted<T>>,
{
    *changes = Changes::default();
    let transaction = db.write().begin().await?;
    match work.run(&transaction).await {
        Ok(Counted {
            output,
            deltas,
            marked,
            clock,
        }) => {
            *changes = Changes {
                moved: deltas.counters(),
                marked,
            };
            let not_after_us = clock.map(|clock| clock.at(deadline));
            match append_and_commit(&transaction, &deltas, not_after_us).await {
                Ok(()) => Ok((transaction, output)),
                Err(e) if not_after_us.is_some() && error::is_null_refused(&e) => {
                    Err(DalError::TimedOut)
                }
                Err(e) => Err(e.into()),
            }
        }
        Err(error) => {
            // If this fails, the server rolls back at the end of the connection.
            let _ = transaction.rollback().await;
            Err(error)
        }
    }
}

/// Tells Redis the exact counts after the last commit of `session` and sets the marks, both at once. If Redis can't be told, waits until no
/// reader can miss the commit. The commit stands in any case; after an error it must not be acknowledged.
async fn publish(
    db: &Db,
    counters: &Counters,
    session: DatabaseTransaction,
    changes: &Changes,
) -> Result<(), DalError> {
    let marks = db.marks().filter(|_| !changes.marked.is_empty());
    if changes.moved.is_empty() && marks.is_none() {
        return Ok(());
    }
    let read = within(READ_DEADLINE, async {
        if changes.moved.is_empty() {
            // Nothing was committed: what this transaction found done was committed before.
            return Ok((position::newest(db, &session).await?, HashMap::new()));
        }
        counts::after_commit(db, &session, &changes.moved).await
    });
    let exact = on_primary(Verb::ReadOwnWrites, read).await;
    // No transaction is open, and others need the connection while Redis is told.
    drop(session);
    let (commit, exact) = match exact {
        Ok((Some(commit), exact)) => (commit, exact),
        unknown => {
            match unknown {
                Err(error) => {
                    tracing::warn!(%error, "counts not read after a commit; Redis forgets them");
                    counters.forget(&changes.moved).await;
                }
                // Without GTIDs counts can't be ordered.
                Ok(_) => counters.distrust(&changes.moved).await,
            }
            if let Some(marks) = marks {
                marks.invalidate(&changes.marked);
            }
            return settle(db, counters, marks, None).await;
        }
    };
    db.observe(&commit);
    let position = Position { seq: commit.seq };
    let mark = async {
        match marks {
            Some(marks) => marks.set(&changes.marked, &commit).await,
            None => true,
        }
    };
    match tokio::join!(counters.committed(position, &exact), mark) {
        (true, true) => Ok(()),
        (_, is_marked) => settle(db, counters, marks.filter(|_| !is_marked), Some(&commit)).await,
    }
}

/// Waits until no reader can miss what Redis wasn't told. `marks` is given if marks are missing.
async fn settle(
    db: &Db,
    counters: &Counters,
    marks: Option<&Marks>,
    commit: Option<&Commit>,
) -> Result<(), DalError> {
    let marked = async {
        let Some(marks) = marks else { return Ok(true) };
        let on_replicas = async {
            match commit {
                Some(commit) => db.all_replicas_have(commit).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            settled = marks.settled() => db.is_settled(Marks::NAME, settled).await,
            () = on_replicas => Ok(true),
        }
    };
    let all = async { tokio::try_join!(counters.settled(), marked) };
    match tokio::time::timeout(SETTLE_DEADLINE, all).await {
        Ok(Ok((true, true))) => Ok(()),
        Ok(Err(error)) => Err(error),
        Ok(Ok(_)) | Err(_) => Err(DalError::Unavailable(DbErr::Custom(
            "it is committed, but Redis can't be told, and others may trust what is there"
                .to_owned(),
        ))),
    }
}
