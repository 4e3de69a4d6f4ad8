//! The folder: adds the ledger up into `counters` on a timer. Separately it compares Redis with the folded counters, and periodically with
//! all counters.
//!
//! One process folds at a time, under a lock by name, and one compares; neither waits for the other. Correctness doesn't hang on the lock:
//! whoever adds rows up deletes them in the same transaction, and commits only if they all were there (`rows`).

mod compare;
mod low_water_mark;
mod rows;
mod step;
#[cfg(test)]
mod tests;

use std::{future::Future, sync::Arc, time::Duration};

pub use compare::Compared;
pub(crate) use rows::newest_after;
use sea_orm::{ConnectionTrait, DbErr};
use telemetry::metrics::{self, FoldOutcome};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{Instant, sleep_until},
};

use crate::{DalError, Db, counters::Counters, lock::Lock, passes::Passes};

/// Between two rounds while each finds more than a transaction takes.
const BUSY_PERIOD: Duration = Duration::from_secs(1);

/// What a fold and a round of comparisons have done.
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
        let rounds = Arc::new(Rounds {
            db,
            counters,
            passes: Passes::new(Duration::from_secs(settings.scan_period_s)),
            workers: settings.fold_workers,
            period,
        });
        let (stop, stopped) = watch::channel(false);
        let task = vital::spawn("folder", async move {
            let fold = || rounds.clone().fold();
            let compare = || rounds.clone().compare();
            let pass = || rounds.clone().pass();
            let watch = || rounds.clone().watch();
            tokio::join!(
                each(period, stopped.clone(), fold),
                each(period, stopped.clone(), compare),
                each(period, stopped.clone(), pass),
                each(period, stopped, watch)
            );
        });
        Self { stop, task }
    }

    /// Ends after the rounds that are under way.
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
    workers: usize,
    period: Duration,
}

/// Each round returns the time from its start to the start of the next one.
impl Rounds {
    async fn fold(self: Arc<Self>) -> Result<Duration, DalError> {
        let start = Instant::now();
        let result = fold_ledger(&self.db, self.workers).await;
        let (outcome, rows) = match &result {
            Ok(Some(0)) => (FoldOutcome::Idle, 0),
            Ok(Some(rows)) => (FoldOutcome::Folded, *rows),
            Ok(None) => (FoldOutcome::Elsewhere, 0),
            Err(_) => (FoldOutcome::Failed, 0),
        };
        metrics::counter_fold(outcome, rows, start.elapsed());
        // A read of an exact count adds up the open ledger, which must stay short under load.
        let busy = result?.unwrap_or_default() >= rows::BATCH;
        Ok(match busy {
            true => self.period.min(BUSY_PERIOD),
            false => self.period,
        })
    }

    async fn compare(self: Arc<Self>) -> Result<Duration, DalError> {
        let compared = compare_once(&self.db, &self.counters).await?;
        if compared.unwrap_or_default().redis_away {
            self.passes.redis_was_away();
        }
        Ok(self.period)
    }

    async fn pass(self: Arc<Self>) -> Result<Duration, DalError> {
        self.passes.round(&self.db, &self.counters).await?;
        Ok(self.period)
    }

    /// By itself, for a long backlog is just when a fold takes long.
    async fn watch(self: Arc<Self>) -> Result<Duration, DalError> {
        metrics::counter_backlog_age(low_water_mark::backlog_age(&self.db).await?);
        Ok(self.period)
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

/// Folds once, then compares once. `None` if another folder holds the lock.
pub async fn fold_once(db: &Db, counters: &Counters) -> Result<Option<Folded>, DalError> {
    let Some(rows) = fold_ledger(db, 1).await? else {
        return Ok(None);
    };
    let compared = compare_once(db, counters).await?.unwrap_or_default();
    Ok(Some(Folded {
        rows,
        compared: compared.counters,
        redis_away: compared.redis_away,
    }))
}

/// Adds up the whole ledger, and returns how many rows that were; by up to `workers` connections at once where one transaction doesn't take
/// them. `None` if another folder holds the lock.
pub async fn fold_ledger(db: &Db, workers: usize) -> Result<Option<usize>, DalError> {
    let Some(lock) = Lock::take(db, "fold").await? else {
        return Ok(None);
    };
    let result = rows::fold(db, &lock.session, workers).await;
    lock.release().await;
    Ok(Some(result?))
}

/// Compares Redis with the counters that were folded since the round before the last one. `None` if another process is at it.
pub async fn compare_once(db: &Db, counters: &Counters) -> Result<Option<Compared>, DalError> {
    let Some(lock) = Lock::take(db, "compare").await? else {
        return Ok(None);
    };
    let result = compare::round(db, counters, &lock.session).await;
    lock.release().await;
    Ok(Some(result?))
}

/// From which id on the ledger must be read.
pub(crate) async fn ledger_begins<C: ConnectionTrait>(session: &C) -> Result<i64, DbErr> {
    Ok(low_water_mark::read(session).await?.low)
}
