//! The reaper: removes what killed processes and lost answers left behind.
//!
//! It removes uploads that were neither published nor aborted, expired idempotency keys, and objects without a row. An object without a row
//! is first noted, and removed a long time later. The reaper touches only what is older than `reaper.age_s`, by the time in the key; publish
//! refuses such old keys anyway. It leaves a bucket alone that isn't bound to the database. Two reapers at once do no harm.

pub(crate) mod bucket;
mod error;
mod unknown;

use std::time::Duration;

use dal::{Db, Lock};
use storage::Store;
use telemetry::metrics::{self, Reapable};
use tokio::{sync::watch, task::JoinHandle, time::timeout};

use crate::{deletions::Deletions, error::VideoError, uploads::Uploads};
use bucket::PAGE;

pub use error::ReapError;

/// Idempotency keys deleted in a statement.
const KEYS: u64 = 1000;

/// What a pass has removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reaped {
    /// Uploads, with what the store had of them.
    pub uploads: u64,
    /// Objects without a row.
    pub objects: u64,
    /// Unfinished multipart uploads without a row.
    pub parts: u64,
    /// Idempotency keys.
    pub keys: u64,
    /// Deletions of videos that were completed.
    pub deletions: u64,
    /// Objects and unfinished uploads without a row that were seen for the first time. They are still there.
    pub noted: u64,
    /// What could not be removed now; the next pass tries again.
    pub failed: u64,
}

/// Finds and removes leftovers.
pub struct Reaper {
    uploads: Uploads,
    age: Duration,
    unknown_age: Duration,
    full_scan: bool,
    adopts_bucket: bool,
    deletions: Option<Deletions>,
}

impl Reaper {
    /// A pass checks what has reached the age since the last pass of any process.
    pub fn new(db: Db, store: Store, settings: &settings::Reaper) -> Self {
        Self {
            uploads: Uploads { db, store },
            age: Duration::from_secs(settings.age_s),
            unknown_age: Duration::from_secs(settings.unknown_age_s),
            full_scan: false,
            adopts_bucket: false,
            deletions: None,
        }
    }

    /// Also carries on deletions of videos that a killed process has left.
    #[must_use]
    pub fn with_deletions(self, deletions: Deletions) -> Self {
        Self {
            deletions: Some(deletions),
            ..self
        }
    }

    /// Checks everything, also what was checked before.
    #[must_use]
    pub fn full_scan(self) -> Self {
        Self {
            full_scan: true,
            ..self
        }
    }

    /// Binds database and bucket as they are, and takes every object without a row for a leftover, however many there are.
    #[must_use]
    pub fn adopting_bucket(self) -> Self {
        Self {
            adopts_bucket: true,
            ..self
        }
    }

    /// One pass; `None` if another process holds the lock. May be dropped at any point, as if the process were killed there: the next pass does the
    /// rest, and the lock ends with its connection.
    ///
    /// # Errors
    /// In words for the log.
    pub async fn pass(&self) -> Result<Option<Reaped>, ReapError> {
        let Some(lock) = Lock::take(&self.uploads.db, "reaper").await? else {
            return Ok(None);
        };
        let mut reaped = Reaped::default();
        let outcome = self.reap(&mut reaped).await;
        lock.release().await;
        for (kind, count) in [
            (Reapable::Upload, reaped.uploads),
            (Reapable::Object, reaped.objects),
            (Reapable::Parts, reaped.parts),
            (Reapable::Key, reaped.keys),
        ] {
            metrics::reaped(kind, count);
        }
        outcome?;
        Ok(Some(reaped))
    }

    async fn reap(&self, reaped: &mut Reaped) -> Result<(), ReapError> {
        self.old_keys(reaped).await?;
        match self.adopts_bucket {
            true => bucket::bind(&self.uploads).await?,
            false => bucket::check(&self.uploads).await?,
        }
        // They delete objects, too.
        self.pending_deletions(reaped).await;
        self.stale_uploads(reaped).await?;
        self.unknown_objects(reaped).await
    }

    async fn pending_deletions(&self, reaped: &mut Reaped) {
        let Some(deletions) = &self.deletions else {
            return;
        };
        match deletions.pass().await {
            Ok((done, failed)) => {
                reaped.deletions += done;
                reaped.failed += failed;
            }
            Err(error) => {
                reaped.failed += 1;
                tracing::warn!(%error, "deletions not carried on, the next pass tries again");
            }
        }
    }

    async fn old_keys(&self, reaped: &mut Reaped) -> Result<(), ReapError> {
        loop {
            let forgotten = dal::idempotency::forget_old(&self.uploads.db, KEYS).await?;
            reaped.keys += forgotten;
            if forgotten < KEYS {
                return Ok(());
            }
        }
    }

    async fn stale_uploads(&self, reaped: &mut Reaped) -> Result<(), ReapError> {
        let age_ms = i64::try_from(self.age.as_millis()).unwrap_or(i64::MAX);
        loop {
            let page = dal::uploads::stale(&self.uploads.db, age_ms, PAGE.into()).await?;
            let failed_before = reaped.failed;
            for upload in &page {
                let removed = self.uploads.remove_all(&upload.object_key).await;
                count(
                    removed,
                    &upload.object_key,
                    &mut reaped.uploads,
                    &mut reaped.failed,
                );
            }
            // What could not be removed would be on the next page again.
            if page.len() < usize::from(PAGE) || reaped.failed > failed_before {
                return Ok(());
            }
        }
    }
}

fn count(removed: Result<bool, VideoError>, key: &str, reaped: &mut u64, failed: &mut u64) {
    match removed {
        Ok(true) => {
            *reaped += 1;
            tracing::info!(object_key = key, "reaped");
        }
        // It was published or removed in the meantime.
        Ok(false) => {}
        Err(error) => {
            *failed += 1;
            tracing::warn!(object_key = key, %error, "not reaped, the next pass tries again");
        }
    }
}

/// Reaps in the background until it is stopped.
pub struct ReaperTask {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl ReaperTask {
    /// Starts the task; needs a tokio runtime. Any number of processes may run it: a named lock lets one at a time make a pass.
    pub fn start(reaper: Reaper, settings: &settings::Reaper) -> Self {
        let period = Duration::from_secs(settings.period_s);
        let (stop, mut stopped) = watch::channel(false);
        let task = vital::spawn("reaper", async move {
            loop {
                let passed = tokio::select! {
                    _ = stopped.changed() => break,
                    passed = reaper.pass() => passed,
                };
                match passed {
                    Ok(Some(reaped)) if reaped != Reaped::default() => {
                        tracing::info!(?reaped, "leftovers removed");
                    }
                    Ok(_) => {}
                    Err(ReapError::Stopped(why)) => {
                        tracing::error!(why, "the reaper stopped");
                    }
                    Err(error) => tracing::warn!(%error, "not reaped, the next pass tries again"),
                }
                // An error means that the period has passed without a stop.
                if timeout(period, stopped.changed()).await.is_ok() {
                    break;
                }
            }
        });
        Self { stop, task }
    }

    /// Ends at once, also in the middle of a pass.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.task.await;
    }
}
