//! Removes what a publish has left in the store: after a failure what its steps stored, after a success the original.
//!
//! What can't be removed now is left to the reaper. Nothing here changes the answer of the publish.

use std::time::Duration;

use dal::videos::{self, Video};

use crate::{
    VideoService,
    error::VideoError,
    saga::{Saga, Undo},
    uploads::Leftover,
};

/// Deleting the original, after the answer is known.
const CLEAN_TIMEOUT: Duration = Duration::from_secs(5);

/// What a step leaves in the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PublishLeftover {
    /// The upload.
    Upload,
    /// The covers of the upload.
    Cover,
    /// A derived object with all that is beside it.
    Derived(String),
}

impl VideoService {
    /// Removes what the steps have left behind. What can't be removed now is left to the reaper.
    pub(super) async fn undo(&self, saga: Saga<PublishLeftover>, key: &str) {
        let Undo {
            leftovers,
            is_certain,
        } = saga.undo();
        let mut of_upload = Undo {
            leftovers: Vec::new(),
            is_certain,
        };
        let mut derived: Option<String> = None;
        for left in leftovers {
            match left {
                PublishLeftover::Upload => of_upload.leftovers.push(Leftover::Object),
                PublishLeftover::Cover => of_upload.leftovers.push(Leftover::Cover),
                PublishLeftover::Derived(key) => derived = Some(key),
            }
        }
        if let Some(derived) = derived {
            let everything = Undo {
                leftovers: vec![Leftover::Cover, Leftover::Object],
                is_certain,
            };
            let removed = self.uploads.remove(&derived, &everything).await;
            self.log_failed_undo(removed.map(drop), &derived);
        }
        if of_upload.leftovers.is_empty() {
            return;
        }
        let undone = match self.uploads.remove(key, &of_upload).await {
            Ok(true) => Ok(()),
            // Another publish or an abort has removed the row.
            Ok(false) if of_upload.leftovers.contains(&Leftover::Cover) => {
                self.delete_lost_cover(key).await
            }
            Ok(false) => Ok(()),
            Err(error) => Err(error),
        };
        self.log_failed_undo(undone, key);
    }

    fn log_failed_undo(&self, undone: Result<(), VideoError>, key: &str) {
        if let Err(error) = undone {
            tracing::warn!(object_key = key, %error, "not removed; left to the reaper");
        }
    }

    /// Its row says already that it is to be removed, so the reaper does what fails here.
    pub(super) async fn delete_original(&self, key: &str, video: &Video) {
        if self.keep_originals || video.object_key == key {
            return;
        }
        let removed = tokio::time::timeout(CLEAN_TIMEOUT, self.uploads.remove_whole(key)).await;
        let removed = removed.unwrap_or(Err(VideoError::TimedOut("original deleted")));
        self.log_failed_undo(removed, key);
    }

    /// The cover belongs to the video if another publish of this upload was faster. After an abort it belongs to nothing: the abort ran before
    /// the cover was stored.
    async fn delete_lost_cover(&self, key: &str) -> Result<(), VideoError> {
        let published = videos::by_object_key(&self.db, key).await?;
        if published.is_none() {
            self.uploads.delete_cover(key).await?;
        }
        Ok(())
    }
}
