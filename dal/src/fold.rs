//! The folder: adds the ledger up into `counters` on a timer, then has those counters compared with Redis.
//!
//! One folder works at a time, under a lock by name that the writing connection holds. If the connection is lost, so are the lock and the
//! open transaction. So a folder that was paused for too long can't write any more, and nothing is lost or added twice.

use std::{collections::BTreeMap, fmt::Write as _, future::Future, sync::Arc, time::Duration};

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, Statement};
use telemetry::metrics::{self, FoldOutcome, Repair, Verb};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep_until},
};

use crate::{
    DalError, Db,
    counters::Counters,
    counts::{self, Counter},
    lock::Lock,
    observe::on_primary,
    passes::Passes,
    pool::{execute_text, within},
    position::{self, Position},
};

/// Ledger rows in a transaction of the folder.
const ROWS: usize = 1000;
/// Counters compared with Redis at once.
const PAGE: usize = 500;
/// How often a counter is compared with Redis after a change: at once and in the next round. A writer's message that was on its way at the
/// first comparison has arrived by then, or its deadline has passed.
const COMPARISONS: i8 = 2;
/// Between two rounds while each finds more than a transaction takes.
const BUSY_PERIOD: Duration = Duration::from_secs(1);
/// For one transaction of the folder, or one page.
const STEP_DEADLINE: Duration = Duration::from_secs(10);

/// What a round has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Folded {
    /// Rows of the ledger that were added up.
    pub rows: usize,
    /// Counters that were compared with Redis.
    pub compared: usize,
    /// Whether Redis was away; the next round compares them.
    pub redis_away: bool,
}

/// Folds in the background until it is stopped.
pub struct Folder {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Folder {
    /// Starts it, in a tokio runtime. Any number of processes may: in each round one of them works.
    pub fn start(db: Db, counters: Counters, settings: &settings::Counters) -> Self {
        let period = Duration::from_millis(settings.fold_period_ms);
        let passes = Passes::new(Duration::from_secs(settings.scan_period_s));
        let rounds = Arc::new(Rounds {
            db,
            counters,
            passes,
        });
        let (stop, stopped) = watch::channel(false);
        let task = vital::spawn("folder", async move {
            let fold = || rounds.clone().fold(period);
            let pass = || rounds.clone().pass(period);
            tokio::join!(
                each(period, stopped.clone(), fold),
                each(period, stopped, pass)
            );
        });
        Self { stop, task }
    }

    /// Ends after the round that is under way.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.task.await;
    }
}

/// The work of one period.
struct Rounds {
    db: Db,
    counters: Counters,
    passes: Passes,
}

/// Each round returns the time from its start to the start of the next one.
impl Rounds {
    async fn fold(self: Arc<Self>, period: Duration) -> Result<Duration, DalError> {
        let start = Instant::now();
        let result = fold_once(&self.db, &self.counters).await;
        let (outcome, rows) = match &result {
            Ok(Some(folded)) if folded.rows > 0 => (FoldOutcome::Folded, folded.rows),
            Ok(Some(_)) => (FoldOutcome::Idle, 0),
            Ok(None) => (FoldOutcome::Elsewhere, 0),
            Err(_) => (FoldOutcome::Failed, 0),
        };
        metrics::counter_fold(outcome, rows, start.elapsed());
        let folded = result?.unwrap_or_default();
        if folded.redis_away {
            self.passes.redis_was_away();
        }
        // A read of an exact count adds up the open ledger, which must stay short under load.
        let busy = folded.rows >= ROWS;
        Ok(if busy {
            period.min(BUSY_PERIOD)
        } else {
            period
        })
    }

    async fn pass(self: Arc<Self>, period: Duration) -> Result<Duration, DalError> {
        self.passes.round(&self.db, &self.counters).await?;
        Ok(period)
    }
}

/// Runs rounds until `stopped`. A round that fails is logged and retried after a period.
async fn each<F>(period: Duration, mut stopped: watch::Receiver<bool>, round: impl Fn() -> F)
where
    F: Future<Output = Result<Duration, DalError>>,
{
    loop {
        let begun = Instant::now();
        let wait = round().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "a round of the folder failed");
            period
        });
        tokio::select! {
            () = sleep_until(begun + wait) => {}
            _ = stopped.wait_for(|stopped| *stopped) => return,
        }
    }
}

/// One round: adds up the ledger, then compares Redis with the counters that this round and the last one changed. `None` if another folder
/// holds the lock.
pub async fn fold_once(db: &Db, counters: &Counters) -> Result<Option<Folded>, DalError> {
    let Some(lock) = Lock::take(db, "fold").await? else {
        return Ok(None);
    };
    let result = round(db, counters, &lock.session).await;
    lock.release().await;
    result.map(Some)
}

async fn round(
    db: &Db,
    counters: &Counters,
    session: &DatabaseTransaction,
) -> Result<Folded, DalError> {
    let mut folded = Folded::default();
    loop {
        let rows = step(fold(session)).await?;
        folded.rows += rows;
        if rows < ROWS {
            break;
        }
    }
    // First those that were compared once: otherwise they would be compared twice in this round.
    for dirty in 1..=COMPARISONS {
        loop {
            let page = step(page(session, dirty)).await?;
            if page.is_empty() {
                break;
            }
            // The position first: counts that are read later include all commits up to it.
            let (position, exact) = step(async {
                let position = position::mark_on(db, session).await?.map(Position::from);
                let known: Vec<Counter> = page.iter().filter_map(Row::counter).collect();
                Ok::<_, DbErr>((position, counts::exact_on(session, &known).await?))
            })
            .await?;
            let Some(position) = position else {
                // Without GTIDs nothing in Redis can be ordered, so nothing is there.
                let known: Vec<Counter> = exact.into_keys().collect();
                counters.forget(&known).await;
                step(clean(session, dirty, &page)).await?;
                continue;
            };
            match counters.compare(position, &exact).await {
                Ok(repaired) => metrics::counters_repaired(Repair::Fold, repaired),
                Err(error) => {
                    tracing::info!(%error, "Redis not compared; the next round does");
                    folded.redis_away = true;
                    return Ok(folded);
                }
            }
            step(clean(session, dirty, &page)).await?;
            folded.compared += page.len();
        }
    }
    Ok(folded)
}

/// A part of a round.
async fn step<T>(work: impl Future<Output = Result<T, DbErr>>) -> Result<T, DbErr> {
    on_primary(Verb::Background, within(STEP_DEADLINE, work)).await
}

/// Adds up at most [`ROWS`] rows of the ledger and deletes exactly those, in one transaction; returns how many.
async fn fold(session: &DatabaseTransaction) -> Result<usize, DbErr> {
    // Rows of open transactions are locked and left to the next round.
    let sql = format!(
        "SELECT id, kind, target_id, delta FROM ledger ORDER BY id LIMIT {ROWS} FOR UPDATE SKIP LOCKED"
    );
    let rows = session
        .query_all_raw(Statement::from_string(DbBackend::MySql, sql))
        .await?;
    if rows.is_empty() {
        return Ok(0);
    }
    let mut sums: BTreeMap<(i8, i64), i64> = BTreeMap::new();
    let mut ids: Vec<i64> = Vec::with_capacity(rows.len());
    for row in &rows {
        ids.push(row.try_get("", "id")?);
        let counter = (row.try_get("", "kind")?, row.try_get("", "target_id")?);
        let sum = sums.entry(counter).or_default();
        *sum = sum.saturating_add(row.try_get("", "delta")?);
    }
    // A sum of 0 also makes its counter dirty: Redis may have been told of some of these deltas and not of others.
    let mut sql = String::from("INSERT INTO counters (kind, target_id, value, dirty) VALUES ");
    for (n, ((kind, id), sum)) in sums.iter().enumerate() {
        let separator = if n == 0 { "" } else { ", " };
        // Whole numbers: nothing to escape. Writing to a string can't fail.
        let _ = write!(sql, "{separator}({kind}, {id}, {sum}, {COMPARISONS})");
    }
    sql.push_str(" ON DUPLICATE KEY UPDATE value = value + VALUES(value), dirty = VALUES(dirty)");
    execute_text(session, &sql).await?;
    let list: Vec<String> = ids.iter().map(i64::to_string).collect();
    let sql = format!("DELETE FROM ledger WHERE id IN ({})", list.join(", "));
    execute_text(session, &sql).await?;
    position::commit_and_chain(session).await?;
    Ok(ids.len())
}

/// A counter that Redis is to be compared with.
struct Row {
    kind: i8,
    target_id: i64,
    value: i64,
}

impl Row {
    /// `None` for a kind that only a newer version knows.
    fn counter(&self) -> Option<Counter> {
        Counter::from_parts(self.kind, self.target_id)
    }
}

/// At most [`PAGE`] counters with `dirty` comparisons left.
async fn page(session: &DatabaseTransaction, dirty: i8) -> Result<Vec<Row>, DbErr> {
    let sql = format!("SELECT kind, target_id, value FROM counters WHERE dirty = ? LIMIT {PAGE}");
    let statement = Statement::from_sql_and_values(DbBackend::MySql, sql, [dirty.into()]);
    let rows = session.query_all_raw(statement).await?;
    rows.iter()
        .map(|row| {
            Ok(Row {
                kind: row.try_get("", "kind")?,
                target_id: row.try_get("", "target_id")?,
                value: row.try_get("", "value")?,
            })
        })
        .collect()
}

/// Notes that these were compared with Redis. Nobody changes them in the meantime: that takes the lock.
async fn clean(session: &DatabaseTransaction, dirty: i8, page: &[Row]) -> Result<(), DbErr> {
    let rows: Vec<String> = page
        .iter()
        .map(|row| {
            let Row {
                kind,
                target_id,
                value,
            } = row;
            format!("(kind = {kind} AND target_id = {target_id} AND value = {value})")
        })
        .collect();
    let sql = format!(
        "UPDATE counters FORCE INDEX (PRIMARY) SET dirty = dirty - 1 WHERE dirty = {dirty} AND ({})",
        rows.join(" OR ")
    );
    let cleaned = execute_text(session, &sql).await?;
    position::commit_and_chain(session).await?;
    match usize::try_from(cleaned) {
        Ok(cleaned) if cleaned == page.len() => Ok(()),
        _ => Err(DbErr::Custom(format!(
            "{cleaned} counters noted as compared of {}",
            page.len()
        ))),
    }
}
