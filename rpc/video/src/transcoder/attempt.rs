//! One attempt at a job: probe, remux or transcode, store, cover, publish. Its lease is renewed beside it.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use dal::{
    DalError,
    jobs::{self, Failure, Job, Replaced},
    videos::{self, Small},
};
use tokio::{sync::watch, time::sleep};

use super::{Ended, Inner};
use crate::{
    error::VideoError,
    media::{Format, MediaError, Plan, Probe, Progress, READ_LIMIT, Refusal, ScratchFile, is_cut},
    object_key,
    publish_video::{bit_rate, media_of},
    reaper::bucket,
};

/// The lease is renewed so many times in its TTL.
const RENEWALS: u32 = 3;
/// The pause when the store, the database or the disk are to blame.
const AWAY_PAUSE: Duration = Duration::from_secs(10);
/// The pause after the system has killed a program: a shortage of memory may last.
const KILLED_PAUSE: Duration = Duration::from_secs(600);
/// Between two tries to take back the count of an attempt.
const UNCOUNT_PAUSE: Duration = Duration::from_millis(200);
/// For a transaction with all its retries.
const URL_MARGIN: Duration = Duration::from_secs(60);
/// What its author is told of a video that ended every process that worked on it.
const KILLED: &str = "processing the video ended unexpectedly";

/// Why the work on a job ended early.
enum Interrupted {
    /// It isn't ours any more.
    LeaseLost,
    /// This process stops.
    Stopped,
}

impl Inner {
    /// Never fails: what goes wrong is noted in the job.
    #[tracing::instrument(skip_all, fields(job = job.id, video_id = job.video_id, attempt = job.attempt))]
    pub(super) async fn attempt(&self, job: &Job, stop: &mut watch::Receiver<bool>) -> Ended {
        if job.attempt > self.max_attempts {
            let failure = match job.was_abandoned {
                // Perhaps nothing was killed: gives the process of that attempt time to take it back.
                true => Failure::Uncounted(self.retry_pause),
                false => Failure::Final(KILLED.to_owned()),
            };
            return self.end_attempt(job, failure, stop).await;
        }
        let begun = Instant::now();
        let (progress, duration_ms) = (Progress::default(), watch::Sender::new(1));
        let stalled = AtomicBool::new(false);
        let interrupted = tokio::select! {
            biased;
            why = self.renew_lease(job, &progress, &duration_ms, &stalled, stop) => why,
            result = self.process(job, &progress, &duration_ms) => {
                return match result {
                    Ok(()) => {
                        let took_ms = begun.elapsed().as_millis() as u64;
                        tracing::info!(took_ms, "video is ready");
                        Ended::Done
                    }
                    Err(error) => {
                        self.remove_outputs(job, true).await;
                        self.record_failure(job, error, &stalled, stop).await
                    }
                };
            }
        };
        // What was dropped half-way may still reach the store: the rows stay, and the reaper looks again.
        self.remove_outputs(job, false).await;
        match interrupted {
            Interrupted::LeaseLost => self.on_lease_lost(job, &stalled, stop).await,
            Interrupted::Stopped => {
                let failure = Failure::Uncounted(Duration::ZERO);
                self.end_attempt(job, failure, stop).await
            }
        }
    }

    /// Another attempt holds the lease. This attempt counts only if its process stalled, because the video may have caused that. A database
    /// that didn't answer says nothing about the video.
    async fn on_lease_lost(
        &self,
        job: &Job,
        stalled: &AtomicBool,
        stop: &mut watch::Receiver<bool>,
    ) -> Ended {
        let stalled = stalled.load(Ordering::Relaxed);
        tracing::warn!(stalled, "the job belongs to another attempt");
        if !stalled {
            self.refund_attempt(job, stop).await;
        }
        Ended::Lost
    }

    /// Renews the lease until it is lost or this process stops. `stalled`: whether this process has missed a renewal since the last one.
    async fn renew_lease(
        &self,
        job: &Job,
        progress: &Progress,
        duration_ms: &watch::Sender<u64>,
        stalled: &AtomicBool,
        stop: &mut watch::Receiver<bool>,
    ) -> Interrupted {
        let mut renewed = Instant::now();
        loop {
            let slept = Instant::now();
            tokio::select! {
                () = sleep(self.lease / RENEWALS) => {}
                _ = stop.wait_for(|stop| *stop) => return Interrupted::Stopped,
            }
            if slept.elapsed() > self.lease / RENEWALS * 2 {
                stalled.store(true, Ordering::Relaxed);
            }
            let percent = progress.percent(*duration_ms.borrow());
            let asked = Instant::now();
            match jobs::extend(&self.db, job, self.lease, percent).await {
                Ok(true) => {
                    renewed = asked;
                    stalled.store(false, Ordering::Relaxed);
                }
                Ok(false) => return Interrupted::LeaseLost,
                Err(error) if renewed.elapsed() < self.lease => {
                    tracing::debug!(%error, "the lease isn't renewed yet");
                }
                Err(_) => return Interrupted::LeaseLost,
            }
        }
    }

    async fn process(
        &self,
        job: &Job,
        progress: &Progress,
        duration_ms: &watch::Sender<u64>,
    ) -> Result<(), VideoError> {
        let stat = self.store.stat(&job.source_key).await?;
        let size_bytes = stat.ok_or(VideoError::NoSuchUpload)?.size_bytes;
        let probe = self.probe(&job.source_key).await?;
        duration_ms.send_replace(probe.duration_ms);
        let plan = self.media.plan(&probe, size_bytes);
        let format = match plan {
            Plan::Remux { into, .. } => into,
            Plan::Transcode => Format::Mp4,
        };
        let (key, content_type) = object_key::derived(&job.token, format);
        let small_key = object_key::small(&key)
            .filter(|_| plan == Plan::Transcode && self.media.small_size(&probe).is_some());
        let own: Vec<String> = std::iter::once(key.clone())
            .chain(small_key.clone())
            .collect();
        dal::uploads::record_derived(&self.db, &own, job.author_id).await?;
        let limit = self.media.transcode_limit(probe.duration_ms);
        let url = self
            .store
            .internal_url(&job.source_key, limit + URL_MARGIN)?;
        let (file, small, is_suspect) = match plan {
            Plan::Remux { into, .. } => {
                let remux = self.media.remux(&url, &probe, into, size_bytes, limit);
                let made = remux.await?;
                (made.file, None, made.seems_cut)
            }
            Plan::Transcode => {
                let made = self.media.transcode(&url, &probe, progress).await?;
                (made.file, made.small, made.was_interrupted)
            }
        };
        let made_bytes = self.uploads.put_file(&key, content_type, &file).await?;
        drop(file);
        let made = self.probe(&key).await?;
        if is_suspect && self.is_cut(&job.source_key, &made, &probe).await? {
            return Err(Refusal::CutShort.into());
        }
        let small = self.put_small(small_key, small, &made).await?;
        let url = self.store.internal_url(&key, self.media.cover_url_ttl())?;
        let cover = self.media.cover(&url, &made).await?;
        let cover_key = self.uploads.put_cover(&key, cover).await?;
        let media = videos::Media {
            small,
            ..media_of(&key, cover_key, &made, made_bytes)
        };
        let replaced = Replaced {
            keep_original: self.keep_originals,
            ttl: self.url_ttl,
        };
        Ok(jobs::finish(&self.db, &self.counters, job, &media, replaced).await?)
    }

    /// Whether the end of the original at `key` is missing. A container may say that its last picture is shown for long, which is lost where
    /// pictures are made anew: so the original's packets decide.
    async fn is_cut(&self, key: &str, made: &Probe, original: &Probe) -> Result<bool, VideoError> {
        if !is_cut(made.duration_ms, original.duration_ms) {
            return Ok(false);
        }
        let url = self.store.internal_url(key, READ_LIMIT)?;
        let last_ms = self.media.last_packet_ms(&url, original).await?;
        Ok(is_cut(made.duration_ms, last_ms))
    }

    async fn probe(&self, key: &str) -> Result<Probe, VideoError> {
        let url = self.store.internal_url(key, self.media.probe_url_ttl())?;
        Ok(self.media.probe(&url).await?)
    }

    async fn put_small(
        &self,
        key: Option<String>,
        made: Option<(ScratchFile, u32)>,
        full: &Probe,
    ) -> Result<Option<Small>, VideoError> {
        let Some((object_key, (file, height))) = key.zip(made) else {
            return Ok(None);
        };
        let (_, content_type) = object_key::derived("", Format::Mp4);
        let size = self
            .uploads
            .put_file(&object_key, content_type, &file)
            .await?;
        Ok(Some(Small {
            object_key,
            height: i32::try_from(height).unwrap_or(i32::MAX),
            bit_rate: bit_rate(size, full.duration_ms),
        }))
    }

    /// Removes what the attempt has stored, if it isn't published. If that isn't certain to be all, the rows stay for the reaper.
    async fn remove_outputs(&self, job: &Job, is_certain: bool) {
        for format in [Format::Mp4, Format::WebM] {
            let (key, _) = object_key::derived(&job.token, format);
            for key in std::iter::once(key.clone()).chain(object_key::small(&key)) {
                if let Err(error) = self.uploads.remove_unless_published(&key, is_certain).await {
                    tracing::warn!(object_key = key, %error, "not removed; left to the reaper");
                }
            }
        }
    }

    /// Records why the attempt failed. It counts only if the file is to blame, or may be: it can use up the memory.
    async fn record_failure(
        &self,
        job: &Job,
        error: VideoError,
        stalled: &AtomicBool,
        stop: &mut watch::Receiver<bool>,
    ) -> Ended {
        let reason = match &error {
            VideoError::Dal(DalError::NotFound) => {
                return self.on_lease_lost(job, stalled, stop).await;
            }
            VideoError::NotAVideo(refusal) => Some(refusal.to_string()),
            VideoError::NoSuchUpload if !self.is_own_bucket().await => None,
            VideoError::NoSuchUpload => Some("the uploaded file is gone".to_owned()),
            VideoError::Media(MediaError::Killed(_)) => Some(KILLED.to_owned()),
            _ => None,
        };
        let failure = match reason {
            None => Failure::Uncounted(AWAY_PAUSE),
            Some(_) if job.attempt < self.max_attempts => Failure::Again(match error {
                VideoError::Media(MediaError::Killed(_)) => self.retry_pause.max(KILLED_PAUSE),
                _ => self.retry_pause,
            }),
            Some(reason) => Failure::Final(reason),
        };
        tracing::warn!(%error, ?failure, "attempt failed");
        self.end_attempt(job, failure, stop).await
    }

    /// Whether the bucket may be this database's. Any other, or a new one, lacks the uploads of all videos.
    async fn is_own_bucket(&self) -> bool {
        match bucket::is_bound_elsewhere(&self.uploads).await {
            Ok(false) => true,
            Ok(true) => {
                tracing::error!("this bucket isn't the one that the database is bound to");
                false
            }
            Err(error) => {
                tracing::warn!(%error, "whether the bucket is ours isn't known");
                false
            }
        }
    }

    async fn end_attempt(
        &self,
        job: &Job,
        failure: Failure,
        stop: &mut watch::Receiver<bool>,
    ) -> Ended {
        let is_final = matches!(failure, Failure::Final(_));
        let is_uncounted = matches!(failure, Failure::Uncounted(_));
        match jobs::fail(&self.db, &self.counters, job, failure).await {
            Ok(()) if is_final => Ended::Failed,
            Ok(()) => Ended::Again,
            Err(DalError::NotFound) => Ended::Lost,
            Err(error) => {
                // When the lease has run out, another attempt takes over.
                tracing::warn!(%error, "the end of the attempt isn't noted");
                if is_uncounted {
                    self.refund_attempt(job, stop).await;
                }
                Ended::Again
            }
        }
    }

    /// Takes back the count of an attempt, retrying until the database answers: an outage must not use up a video's attempts. Gives up when
    /// the process stops.
    async fn refund_attempt(&self, job: &Job, stop: &mut watch::Receiver<bool>) {
        while let Err(error) = jobs::refund_attempt(&self.db, job).await {
            tracing::debug!(%error, "the attempt is still counted");
            tokio::select! {
                () = sleep(UNCOUNT_PAUSE) => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }
}
