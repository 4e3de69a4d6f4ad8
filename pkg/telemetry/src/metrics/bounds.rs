//! Metrics of limits, semaphores, queues and uploads.

use std::sync::{Arc, Weak};

use metrics::{counter, gauge};
use tokio::sync::Semaphore;

use super::{
    families as name,
    recorder::{InProgress, label, sample},
};

label! {
    /// How an upload ended.
    UploadOutcome {
        /// As a video.
        Published = "published",
        /// Its client can mend what is wrong.
        Refused = "refused",
        /// Something of ours was away or broke.
        Failed = "failed",
        /// The client left.
        Abandoned = "abandoned",
    }
}

/// An upload under way; when this is dropped it has ended, abandoned unless somebody said otherwise.
#[derive(Debug)]
#[must_use = "the upload ends when this is dropped"]
pub struct Upload {
    outcome: UploadOutcome,
    _in_progress: InProgress,
}

impl Upload {
    /// An upload begins.
    pub fn begin() -> Self {
        Self {
            outcome: UploadOutcome::Abandoned,
            _in_progress: InProgress::begin(gauge!(name::UPLOADS_IN_PROGRESS)),
        }
    }

    /// It has ended.
    pub fn end(mut self, outcome: UploadOutcome) {
        self.outcome = outcome;
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        counter!(name::UPLOADS, "outcome" => self.outcome.label()).increment(1);
    }
}

/// So many bytes of a file were received.
pub fn upload_bytes(bytes: usize) {
    counter!(name::UPLOAD_BYTES).increment(bytes as u64);
}

/// Shows how much of `semaphore`, which was made with `permits`, is used, for as long as it lives.
pub fn watch_semaphore(semaphore: &'static str, bound: &Arc<Semaphore>, permits: usize) {
    let bound: Weak<Semaphore> = Arc::downgrade(bound);
    sample(move || {
        let used = permits.saturating_sub(bound.upgrade()?.available_permits());
        gauge!(name::SEMAPHORE_PERMITS, "semaphore" => semaphore).set(permits as f64);
        gauge!(name::SEMAPHORE_USED, "semaphore" => semaphore).set(used as f64);
        Some(())
    });
}

/// Something was turned away because this semaphore was full.
pub fn semaphore_refused(semaphore: &'static str) {
    counter!(name::SEMAPHORE_REFUSALS, "semaphore" => semaphore).increment(1);
}

/// Somebody did something too often.
pub fn limit_refused(class: &'static str) {
    counter!(name::LIMIT_REFUSALS, "class" => class).increment(1);
}

/// Something waits for its turn.
pub fn in_queue(queue: &'static str) -> InProgress {
    InProgress::begin(gauge!(name::QUEUE_LENGTH, "queue" => queue))
}
