//! The transcoder: claims jobs, makes of each upload what viewers get, and publishes it. Any number of processes work side by side.
//!
//! An attempt has a token, which also names its objects. It holds the job under a lease and renews the lease. An attempt that has lost its
//! lease, or stops, publishes nothing and removes its objects.

mod attempt;

use std::{sync::Arc, time::Duration};

use dal::{Db, counters::Counters, jobs};
use storage::Store;
use telemetry::metrics::{self, JobOutcome};
use tokio::{
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};

use crate::{error::VideoError, media::Media, object_key, uploads::Uploads};

/// How often the backlog is counted for the metrics.
const BACKLOG_PERIOD: Duration = Duration::from_secs(10);

/// Works on jobs. Cheap to clone.
#[derive(Clone)]
pub struct Transcoder(Arc<Inner>);

struct Inner {
    db: Db,
    counters: Counters,
    store: Store,
    media: Media,
    uploads: Uploads,
    lease: Duration,
    max_attempts: i32,
    retry_pause: Duration,
    poll: Duration,
    parallel: usize,
    keep_originals: bool,
    /// How long a URL that somebody was given may be used.
    url_ttl: Duration,
}

impl Transcoder {
    /// A transcoder over this database, its counters and an object store.
    pub fn new(db: Db, counters: Counters, store: Store, settings: &settings::Settings) -> Self {
        let transcoder = &settings.transcoder;
        Self(Arc::new(Inner {
            uploads: Uploads {
                db: db.clone(),
                store: store.clone(),
            },
            db,
            counters,
            store,
            media: Media::new(settings),
            lease: Duration::from_secs(transcoder.lease_s),
            max_attempts: transcoder.max_attempts,
            retry_pause: Duration::from_secs(transcoder.retry_pause_s),
            poll: Duration::from_millis(transcoder.poll_ms),
            parallel: transcoder.parallel,
            keep_originals: settings.media.keep_originals,
            url_ttl: Duration::from_secs(settings.object_store.url_ttl_s.into()),
        }))
    }

    /// Checks that the programs can be run; for the start of the process.
    ///
    /// # Errors
    /// In words for the log.
    pub async fn check_programs(&self) -> Result<(), crate::media::MediaError> {
        self.0.media.check_programs().await
    }

    /// Works on the next job, if there is one; whether there was. Ends early, and gives the job back, when `stop` says so.
    pub async fn work(&self, stop: &mut watch::Receiver<bool>) -> bool {
        let Self(inner) = self;
        let token = object_key::new_token();
        match jobs::claim(&inner.db, &inner.counters, &token, inner.lease).await {
            Ok(Some(job)) => {
                let outcome = inner.attempt(&job, stop).await;
                metrics::job_ended(outcome);
                true
            }
            Ok(None) => false,
            Err(error) => {
                tracing::warn!(error = %VideoError::from(error), "no job could be claimed");
                false
            }
        }
    }
}

/// Works in the background until it is stopped.
pub struct TranscoderTask {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl TranscoderTask {
    /// Starts `transcoder.parallel` workers, in a tokio runtime.
    pub fn start(transcoder: Transcoder) -> Self {
        let (stop, stopped) = watch::channel(false);
        let task = vital::spawn("transcoder", async move {
            let mut workers = JoinSet::new();
            for _ in 0..transcoder.0.parallel {
                workers.spawn(work_until(transcoder.clone(), stopped.clone()));
            }
            workers.spawn(count_backlog(transcoder, stopped));
            while let Some(ended) = workers.join_next().await {
                // A panic is the end of this task, too, and so of the process.
                if let Err(error) = ended {
                    std::panic::resume_unwind(error.into_panic());
                }
            }
        });
        Self { stop, task }
    }

    /// Gives back what is being worked on, and ends.
    pub async fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.task.await;
    }
}

async fn work_until(transcoder: Transcoder, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        let had_work = transcoder.work(&mut stop).await;
        if !had_work {
            tokio::select! {
                () = sleep(transcoder.0.poll) => {}
                _ = stop.changed() => {}
            }
        }
    }
}

async fn count_backlog(transcoder: Transcoder, mut stop: watch::Receiver<bool>) {
    loop {
        match jobs::backlog(&transcoder.0.db).await {
            Ok((waiting, taken)) => metrics::jobs(waiting, taken),
            Err(error) => tracing::debug!(%error, "the backlog isn't known"),
        }
        // An error means that the period has passed without a stop.
        if timeout(BACKLOG_PERIOD, stop.changed()).await.is_ok() {
            return;
        }
    }
}

/// How an attempt ended; for the metrics.
pub(crate) type Ended = JobOutcome;
