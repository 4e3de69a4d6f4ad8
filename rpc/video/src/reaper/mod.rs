//! The reaper: removes what killed processes and lost answers left behind.
//!
//! Uploads that were neither published nor taken back, idempotency keys that have outlived their life, and, long after it was first
//! seen, what is in the bucket and no row knows. Only what is older than `reaper.age_s`, by the time in its key: publish refuses such
//! a key long before that. A bucket that isn't the database's is left alone. Two reapers at once do no harm.

mod bucket;
mod error;
mod unknown;

use std::time::Duration;

use dal::{Db, Lock};
use storage::Store;
use telemetry::metrics::{self, Reapable};
use tokio::{sync::watch, task::JoinHandle, time::timeout};

use crate::{error::VideoError, uploads::Uploads};
use bucket::PAGE;

pub use error::ReapError;

/// Keys forgotten in a statement.
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
    /// Objects and unfinished uploads without a row that were seen for the first time. They are still there.
    pub noted: u64,
    /// What could not be removed now; the next pass tries again.
    pub failed: u64,
}

/// Looks for what was left behind.
pub struct Reaper {
    uploads: Uploads,
    age: Duration,
    unknown_age: Duration,
    from_the_start: bool,
    adopts: bool,
}

impl Reaper {
    /// A pass looks at what has come of age since the last one of whichever process.
    pub fn new(db: Db, store: Store, settings: &settings::Reaper) -> Self {
        Self {
            uploads: Uploads { db, store },
            age: Duration::from_secs(settings.age_s),
            unknown_age: Duration::from_secs(settings.unknown_age_s),
            from_the_start: false,
            adopts: false,
        }
    }

    /// Looks at everything, whatever was looked at before.
    #[must_use]
    pub fn from_the_start(self) -> Self {
        Self {
            from_the_start: true,
            ..self
        }
    }

    /// Ties database and bucket together as they are, and takes what no row knows for left over, however much it is.
    #[must_use]
    pub fn adopting(self) -> Self {
        Self {
            adopts: true,
            ..self
        }
    }

    /// One pass; `None` when another process is at it.
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
        match self.adopts {
            true => bucket::make(&self.uploads).await?,
            false => bucket::check(&self.uploads).await?,
        }
        self.stale_uploads(reaped).await?;
        self.unknown_objects(reaped).await
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
            // What could not be removed would be found again.
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
        // Published or taken back this moment.
        Ok(false) => {}
        Err(error) => {
            *failed += 1;
            tracing::warn!(object_key = key, %error, "not reaped, the next pass tries again");
        }
    }
}

/// Reaps in the background until it is stopped.
pub struct Reaping {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Reaping {
    /// Starts it, in a tokio runtime. Any number of processes may: in each round one of them works.
    pub fn start(reaper: Reaper, settings: &settings::Reaper) -> Self {
        let period = Duration::from_secs(settings.period_s);
        let (stop, mut stopped) = watch::channel(false);
        let task = vital::spawn("reaper", async move {
            loop {
                match reaper.pass().await {
                    Ok(Some(reaped)) if reaped != Reaped::default() => {
                        tracing::info!(?reaped, "left behind by others, removed");
                    }
                    Ok(_) => {}
                    Err(ReapError::Stopped(why)) => {
                        tracing::error!(why, "the reaper stopped");
                    }
                    Err(error) => tracing::warn!(%error, "not reaped, the next pass tries again"),
                }
                // The error is that the wait has ended by itself: nobody has said stop.
                if timeout(period, stopped.changed()).await.is_ok() {
                    break;
                }
            }
        });
        Self { stop, task }
    }

    /// Ends after the pass that is under way.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.task.await;
    }
}
