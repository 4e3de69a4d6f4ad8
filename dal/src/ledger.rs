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
    observe::on_primary,
    pool::{execute_text, within},
    position::{self, Position},
};

/// How long an acknowledgement waits until nobody can miss the commit: more than the TTL of a lease, less than the deadline of a write.
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

    /// Names a counter without a change, for a commit that needs a row in the ledger.
    pub(crate) fn zero(counter: Counter) -> Self {
        Self(BTreeMap::from([(counter, 0)]))
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

    pub(crate) fn counters(&self) -> Vec<Counter> {
        self.0.keys().copied().collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The outcome of a transaction, the changes of counters, and which subjects must be marked.
pub(crate) struct Counted<T> {
    pub(crate) output: T,
    pub(crate) deltas: Deltas,
    /// The writer, and what was written to.
    pub(crate) marked: Vec<Subject>,
}

/// What must be updated in Redis if the transaction commits.
#[derive(Debug, Default)]
pub(crate) struct RedisUpdate {
    pub(crate) counters: Vec<Counter>,
    pub(crate) marked: Vec<Subject>,
}

impl RedisUpdate {
    /// Whether Redis needs no update.
    pub(crate) fn is_empty(&self, db: &Db) -> bool {
        self.counters.is_empty() && (self.marked.is_empty() || db.marks().is_none())
    }
}

/// The last commit of a session (none on a server without GTIDs), and exact counts that include it.
pub(crate) type Exact = (Option<Commit>, HashMap<Counter, i64>);

/// The statement that must run before [`append`]'s: which generation the rows are of.
pub(crate) const GENERATION: &str =
    "SET @generation = (SELECT generation FROM folder WHERE id = 1)";

/// The statement that appends `deltas`; none for no deltas. If `condition`, an expression, isn't true in it, the statement fails with
/// [`error::is_null_refused`](crate::error::is_null_refused).
pub(crate) fn append(deltas: &Deltas, condition: Option<&str>) -> Option<String> {
    let mut sql = String::from("INSERT INTO ledger (kind, target_id, delta, generation) VALUES ");
    for (row, (counter, delta)) in deltas.iter().enumerate() {
        let (kind, id) = counter.parts();
        // Whole numbers: nothing to escape. Writing to a string can't fail.
        let _ = match condition {
            // The sessions are strict: NULL is refused in an insert of several rows, too.
            Some(condition) if row == 0 => {
                write!(
                    sql,
                    "(IF({condition}, {kind}, NULL), {id}, {delta}, @generation)"
                )
            }
            _ if row == 0 => write!(sql, "({kind}, {id}, {delta}, @generation)"),
            _ => write!(sql, ", ({kind}, {id}, {delta}, @generation)"),
        };
    }
    (!deltas.is_empty()).then_some(sql)
}

/// Appends `deltas` and commits, in one round trip. The connection stays in use, to be asked for its last commit.
pub(crate) async fn append_and_commit(
    transaction: &DatabaseTransaction,
    deltas: &Deltas,
) -> Result<(), DbErr> {
    // When a statement fails, the server doesn't run those after it.
    let sql = match append(deltas, None) {
        Some(append) => format!("{GENERATION}; {append}; COMMIT"),
        None => "COMMIT".to_owned(),
    };
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
        telemetry::cost::scope(async move { attempts(&db, &counters, &work, deadline).await });
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

async fn attempts<W, T>(
    db: &Db,
    counters: &Counters,
    work: &W,
    deadline: Instant,
) -> Result<T, DalError>
where
    W: Transaction<Output = Counted<T>>,
{
    let mut update = RedisUpdate::default();
    let attempts = within(deadline.saturating_duration_since(Instant::now()), async {
        let mut repeats = 0;
        loop {
            match try_commit(db, work, &mut update).await {
                Err(e) if repeats < MAX_RETRIES && db.may_retry(&e) => repeats += 1,
                result => return result,
            }
        }
    });
    let committed = on_primary(Verb::Write, attempts).await;
    let (session, output) = match committed {
        Ok(committed) => committed,
        Err(error) => {
            invalidate(db, counters, &update).await;
            return Err(error);
        }
    };
    if update.is_empty(db) {
        return Ok(output);
    }
    let exact = within(READ_DEADLINE, async {
        if update.counters.is_empty() {
            // Nothing was committed: what this transaction found done was committed before.
            return Ok((position::newest(db, &session).await?, HashMap::new()));
        }
        counts::after_commit(db, &session, &update.counters).await
    });
    let exact = on_primary(Verb::ReadOwnWrites, exact).await;
    // No transaction is open, and others need the connection while Redis is told.
    drop(session);
    publish(db, counters, exact, &update).await?;
    Ok(output)
}

/// For a failed transaction. It may have committed nevertheless, and then Redis holds old values.
pub(crate) async fn invalidate(db: &Db, counters: &Counters, update: &RedisUpdate) {
    if !update.counters.is_empty() {
        counters.invalidate(&update.counters).await;
    }
    if !update.marked.is_empty()
        && let Some(marks) = db.marks()
    {
        marks.invalidate(&update.marked);
    }
}

/// One attempt.
async fn try_commit<W, T>(
    db: &Db,
    work: &W,
    update: &mut RedisUpdate,
) -> Result<(DatabaseTransaction, T), DalError>
where
    W: Transaction<Output = Counted<T>>,
{
    *update = RedisUpdate::default();
    let transaction = db.write().begin().await?;
    match work.run(&transaction).await {
        Ok(Counted {
            output,
            deltas,
            marked,
        }) => {
            *update = RedisUpdate {
                counters: deltas.counters(),
                marked,
            };
            append_and_commit(&transaction, &deltas).await?;
            Ok((transaction, output))
        }
        Err(error) => {
            // If this fails, the server rolls back at the end of the connection.
            let _ = transaction.rollback().await;
            Err(error)
        }
    }
}

/// Tells Redis the exact counts after a commit and sets the marks, both at once. If Redis can't be told, waits until no reader can miss the
/// commit. The commit stands in any case; after an error it must not be acknowledged.
pub(crate) async fn publish(
    db: &Db,
    counters: &Counters,
    exact: Result<Exact, DbErr>,
    update: &RedisUpdate,
) -> Result<(), DalError> {
    let marks = db.marks().filter(|_| !update.marked.is_empty());
    let (commit, exact) = match exact {
        Ok((Some(commit), exact)) => (commit, exact),
        unknown => {
            match unknown {
                Err(error) => {
                    tracing::warn!(%error, "counts not read after a commit; Redis forgets them");
                    counters.invalidate(&update.counters).await;
                }
                // Without GTIDs counts can't be ordered.
                Ok(_) => counters.revoke_trust(&update.counters).await,
            }
            if let Some(marks) = marks {
                marks.invalidate(&update.marked);
            }
            return wait_until_safe(db, counters, marks, None).await;
        }
    };
    db.observe(&commit);
    let position = Position { seq: commit.seq };
    let mark = async {
        match marks {
            Some(marks) => marks.set(&update.marked, &commit).await,
            None => true,
        }
    };
    match tokio::join!(counters.publish_commit(position, &exact), mark) {
        (true, true) => Ok(()),
        (_, is_marked) => {
            wait_until_safe(db, counters, marks.filter(|_| !is_marked), Some(&commit)).await
        }
    }
}

/// Waits until no reader can miss the commit although Redis lacks it. `marks` is given if marks are missing.
async fn wait_until_safe(
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
