//! The ledger: what a write counts is appended in its own transaction, so no row is changed without being counted, or counted
//! without being changed; and after the commit Redis learns the exact counts.
//!
//! Nothing here updates a counter: `fold` does, later. A shared row would make all likers of a video wait for each other.

use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write as _,
};

use marks::Subject;
use sea_orm::{DatabaseTransaction, DbErr};
use telemetry::metrics::Verb;
use tracing::Instrument as _;

use crate::{
    DalError, Db,
    counters::Counters,
    counts::{self, Counter},
    db::{MAX_REPEATS, READ_DEADLINE, Transaction, WRITE_DEADLINE},
    observe::on_primary,
    pool::{execute_text, within},
    position::{self, Position},
};

/// By how much each counter moves. One that doesn't move isn't in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Deltas(BTreeMap<Counter, i64>);

impl Deltas {
    /// Moves one counter.
    pub(crate) fn of(counter: Counter, delta: i64) -> Self {
        let mut deltas = Self::default();
        deltas.add(counter, delta);
        deltas
    }

    /// Moves `counter` by `delta` more.
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

/// What a transaction has made, what that counts, and who must see it at once.
pub(crate) struct Counted<T> {
    pub(crate) output: T,
    pub(crate) deltas: Deltas,
    /// Whoever wrote, and what they wrote to.
    pub(crate) marked: Vec<Subject>,
}

/// What Redis must be told of a commit: from the moment on from which it may happen.
#[derive(Default)]
struct News {
    moved: Vec<Counter>,
    marked: Vec<Subject>,
}

/// Commits `transaction` with `deltas` appended, in one trip. Its connection stays with it, to be asked what it has committed.
pub(crate) async fn append_and_commit(
    transaction: &DatabaseTransaction,
    deltas: &Deltas,
) -> Result<(), DbErr> {
    let mut sql = String::new();
    let mut separator = "INSERT INTO ledger (kind, target_id, delta) VALUES ";
    for (counter, delta) in deltas.iter() {
        let (kind, id) = counter.parts();
        // Whole numbers: nothing to escape. Writing to a string can't fail.
        let _ = write!(sql, "{separator}({kind}, {id}, {delta})");
        separator = ", ";
    }
    if !sql.is_empty() {
        sql.push_str("; ");
    }
    // Where the first fails, the second isn't run.
    sql.push_str("COMMIT");
    execute_text(transaction, &sql).await?;
    Ok(())
}

/// Commits `work` and what it counts in one transaction, then brings Redis up to date; only then it returns. A deadlock or a
/// lock time-out repeats it from the start. The caller going away doesn't stop it half-way.
pub(crate) async fn commit<W, T>(db: &Db, counters: &Counters, work: W) -> Result<T, DalError>
where
    W: Transaction<Output = Counted<T>> + Send + 'static,
    T: Send + 'static,
{
    let (db, counters) = (db.clone(), counters.clone());
    let work = telemetry::cost::scope(async move { commit_here(&db, &counters, &work).await });
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

/// [`commit`], for a task that nobody drops.
pub(crate) async fn commit_here<W, T>(db: &Db, counters: &Counters, work: &W) -> Result<T, DalError>
where
    W: Transaction<Output = Counted<T>>,
{
    let mut news = News::default();
    let attempts = within(WRITE_DEADLINE, async {
        let mut repeats = 0;
        loop {
            match try_commit(db, work, &mut news).await {
                Err(e) if repeats < MAX_REPEATS && db.may_try_again(&e) => repeats += 1,
                result => return result,
            }
        }
    });
    let committed = on_primary(Verb::Write, attempts).await;
    let (session, output) = match committed {
        Ok(committed) => committed,
        Err(error) => {
            // It may have happened nevertheless, and then what Redis holds is old.
            if !news.moved.is_empty() {
                counters.forget(&news.moved).await;
            }
            if !news.marked.is_empty()
                && let Some(marks) = db.marks()
            {
                marks.invalidate(&news.marked);
            }
            return Err(error);
        }
    };
    publish(db, counters, session, &news).await;
    Ok(output)
}

/// One attempt.
async fn try_commit<W, T>(
    db: &Db,
    work: &W,
    news: &mut News,
) -> Result<(DatabaseTransaction, T), DalError>
where
    W: Transaction<Output = Counted<T>>,
{
    *news = News::default();
    let transaction = db.write().begin().await?;
    match work.run(&transaction).await {
        Ok(Counted {
            output,
            deltas,
            marked,
        }) => {
            *news = News {
                moved: deltas.counters(),
                marked,
            };
            append_and_commit(&transaction, &deltas).await?;
            Ok((transaction, output))
        }
        Err(error) => {
            // Its failure changes nothing: the server rolls back whatever isn't committed.
            let _ = transaction.rollback().await;
            Err(error)
        }
    }
}

/// Tells Redis the exact counts after the commit that `session` has just made, and marks who must see it, all at once. The
/// commit stands whatever happens here.
async fn publish(db: &Db, counters: &Counters, session: DatabaseTransaction, news: &News) {
    let marks = db.marks().filter(|_| !news.marked.is_empty());
    if news.moved.is_empty() && marks.is_none() {
        return;
    }
    let read = within(READ_DEADLINE, async {
        if news.moved.is_empty() {
            // Nothing was committed; what was found done had been before.
            return Ok((position::newest(db, &session).await?, HashMap::new()));
        }
        counts::after_commit(db, &session, &news.moved).await
    });
    let exact = on_primary(Verb::ReadOwnWrites, read).await;
    // Nothing is open in it. Others need the connection more than Redis does.
    drop(session);
    match exact {
        Ok((commit, exact)) => {
            db.saw(&commit);
            let mark = async {
                if let Some(marks) = marks
                    && !marks.set(&news.marked, &commit).await
                {
                    tokio::select! {
                        () = marks.settled() => {}
                        () = db.all_replicas_have(&commit) => {}
                    }
                }
            };
            let position = Position { seq: commit.seq };
            tokio::join!(counters.committed(position, &exact), mark);
        }
        Err(error) => {
            tracing::warn!(%error, "counts not read after a commit; Redis forgets them");
            counters.forget(&news.moved).await;
            if let Some(marks) = marks {
                marks.invalidate(&news.marked);
                marks.settled().await;
            }
        }
    }
}
