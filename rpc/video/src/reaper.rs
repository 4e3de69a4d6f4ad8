//! The reaper: removes what killed processes and lost answers left behind.
//!
//! Uploads that were neither published nor taken back, objects and unfinished multipart uploads that no row knows, and idempotency keys
//! that have outlived their life. Only what is older than `reaper.age_s`, by the time in its key: publish refuses such a key long
//! before that. Whether a row knows it is asked on the primary. Two reapers at once do no harm.

use std::time::Duration;

use dal::{Db, Lock};
use storage::Store;
use telemetry::metrics::{self, Reapable};
use tokio::{sync::watch, task::JoinHandle, time::timeout};

use crate::{error::VideoError, object_key, uploads::Uploads};

/// Rows or objects looked at together.
const PAGE: u16 = 250;
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
    /// What could not be removed now; the next pass tries again.
    pub failed: u64,
}

/// Looks for what was left behind.
pub struct Reaper {
    uploads: Uploads,
    age: Duration,
    /// For each prefix: up to where no object without a row is, so that a pass need not begin from the first of all.
    clean: [(&'static str, String); 2],
}

impl Reaper {
    /// The first pass looks at everything, later ones at what has come of age since.
    pub fn new(db: Db, store: Store, settings: &settings::Reaper) -> Self {
        Self {
            uploads: Uploads { db, store },
            age: Duration::from_secs(settings.age_s),
            clean: [object_key::VIDEOS, object_key::COVERS].map(|prefix| (prefix, String::new())),
        }
    }

    /// One pass; `None` when another process is at it. An error is a database or a store that is away.
    ///
    /// # Errors
    /// What the caller can only wait out, in words for the log.
    pub async fn pass(
        &mut self,
    ) -> Result<Option<Reaped>, Box<dyn std::error::Error + Send + Sync>> {
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

    async fn reap(&mut self, reaped: &mut Reaped) -> Result<(), VideoError> {
        self.stale_uploads(reaped).await?;
        self.parts_without_a_row(reaped).await?;
        for n in 0..self.clean.len() {
            self.objects_without_a_row(n, reaped).await?;
        }
        loop {
            let forgotten = dal::idempotency::forget_old(&self.uploads.db, KEYS).await?;
            reaped.keys += forgotten;
            if forgotten < KEYS {
                return Ok(());
            }
        }
    }

    async fn stale_uploads(&self, reaped: &mut Reaped) -> Result<(), VideoError> {
        let age_ms = i64::try_from(self.age.as_millis()).unwrap_or(i64::MAX);
        loop {
            let page = dal::uploads::stale(&self.uploads.db, age_ms, PAGE.into()).await?;
            let failed_before = reaped.failed;
            for upload in &page {
                let removed = self.uploads.take_all_back(&upload.object_key).await;
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

    async fn parts_without_a_row(&self, reaped: &mut Reaped) -> Result<(), VideoError> {
        let store = &self.uploads.store;
        let mut open = store.list_uploads(object_key::VIDEOS).await?;
        open.retain(|upload| self.is_of_age(&upload.key));
        let keys: Vec<String> = open.iter().map(|upload| upload.key.clone()).collect();
        let known = dal::uploads::known(&self.uploads.db, &keys).await?;
        for upload in open.iter().filter(|upload| !known.contains(&upload.key)) {
            let aborted = store.abort_multipart(&upload.key, &upload.upload_id).await;
            let removed = aborted.map(|()| true).map_err(VideoError::from);
            count(removed, &upload.key, &mut reaped.parts, &mut reaped.failed);
        }
        Ok(())
    }

    /// In the order of the keys, which is that of time: the first that is too young ends the pass.
    async fn objects_without_a_row(
        &mut self,
        n: usize,
        reaped: &mut Reaped,
    ) -> Result<(), VideoError> {
        let Some((prefix, mut after)) = self.clean.get(n).cloned() else {
            return Ok(());
        };
        let failed_before = reaped.failed;
        loop {
            let listed = self.uploads.store.list(prefix, &after, PAGE).await?;
            let of_age: Vec<&str> = listed
                .iter()
                .map(|object| object.key.as_str())
                .filter(|key| self.is_of_age(key))
                .collect();
            let owners: Vec<String> = of_age
                .iter()
                .flat_map(|key| object_key::owners(key))
                .collect();
            let known = dal::uploads::known(&self.uploads.db, &owners).await?;
            for key in &of_age {
                if object_key::owners(key)
                    .iter()
                    .any(|owner| known.contains(owner))
                {
                    continue;
                }
                let deleted = self.uploads.store.delete(key).await;
                let removed = deleted.map(|()| true).map_err(VideoError::from);
                count(removed, key, &mut reaped.objects, &mut reaped.failed);
            }
            let is_last = listed.len() < usize::from(PAGE) || of_age.is_empty();
            if let Some(last) = of_age.last() {
                after = (*last).to_owned();
            }
            if is_last {
                break;
            }
        }
        if reaped.failed == failed_before
            && let Some((_, clean)) = self.clean.get_mut(n)
        {
            *clean = after;
        }
        Ok(())
    }

    /// What is no key of ours is left alone.
    fn is_of_age(&self, key: &str) -> bool {
        object_key::age(key).is_some_and(|age| age > self.age)
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
    pub fn start(mut reaper: Reaper, settings: &settings::Reaper) -> Self {
        let period = Duration::from_secs(settings.period_s);
        let (stop, mut stopped) = watch::channel(false);
        let task = vital::spawn("reaper", async move {
            loop {
                match reaper.pass().await {
                    Ok(Some(reaped)) if reaped != Reaped::default() => {
                        tracing::info!(?reaped, "left behind by others, removed");
                    }
                    Ok(_) => {}
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
