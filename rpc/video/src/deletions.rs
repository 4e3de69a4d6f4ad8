//! Deletes videos: a saga with forward recovery only (no compensation; every step is idempotent and retried).
//!
//! The row of the video goes first, in one transaction with a row that says what is left: likes and comments, of which their services take
//! care, and objects. The next pass of any process resumes what a killed one left.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use dal::{
    Db, Lock,
    counters::Counters,
    deletions::{self, Begun, By, Deletion},
};
use idl::{
    base::Deletable,
    comment::{CommentServiceClient, ForgetCommentsRequest},
    favorite::{FavoriteServiceClient, ForgetFavoritesRequest},
    video::{
        DeleteVideoRequest, DeleteVideoResponse, ForgetAuthorRequest, ForgetAuthorResponse,
        TakeDownVideoRequest, TakeDownVideoResponse,
    },
};
use rpc_server::Sweep;
use service::RpcError;
use storage::Store;
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
};

use crate::{
    VideoService,
    error::VideoError,
    object_key,
    reaper::{ReapError, bucket},
    uploads::Uploads,
};

/// Time between two passes: the longest wait before another process resumes a deletion.
const PERIOD: Duration = Duration::from_secs(2);
/// Deletions that are read at once.
const PAGE: u64 = 100;

/// What deletions need besides the rows of videos.
#[derive(Clone)]
pub struct Deletions {
    db: Db,
    store: Store,
    favorite: FavoriteServiceClient,
    comment: CommentServiceClient,
    more: Arc<Notify>,
    /// Whether the bucket was another database's when it was last asked.
    is_elsewhere: Arc<AtomicBool>,
}

impl Deletions {
    /// Over this database and store; likes and comments go by their services.
    pub fn new(
        db: Db,
        store: Store,
        favorite: FavoriteServiceClient,
        comment: CommentServiceClient,
    ) -> Self {
        Self {
            db,
            store,
            favorite,
            comment,
            more: Arc::default(),
            is_elsewhere: Arc::default(),
        }
    }

    /// Hides a video and refuses further writes to it. Then deletes what belongs to it, as far as time allows; the next pass does the rest.
    async fn delete(&self, counters: &Counters, video_id: i64, by: By) -> Result<(), VideoError> {
        let begun = deletions::begin(&self.db, counters, video_id, by).await?;
        let deletion = match begun {
            Begun::Deletion(deletion) => deletion,
            Begun::NoSuchVideo => return Err(VideoError::NoSuchVideo),
            Begun::NotYours => return Err(VideoError::NotYours),
        };
        // A failure up to here is told: until its tombstones are set, somebody may still like the video.
        match self.forget(video_id).await? {
            true => self.more.notify_one(),
            false => self.remove_or_leave(&deletion).await,
        }
        Ok(())
    }

    /// Removes the objects, if the bucket may be this database's. What doesn't succeed is left to the next pass.
    async fn remove_or_leave(&self, deletion: &Deletion) {
        let video_id = deletion.video_id;
        let left = "objects of a deleted video are left to the next pass";
        match self.is_bound_elsewhere().await {
            Ok(true) => {}
            Ok(false) => {
                if let Err(error) = self.remove(deletion).await {
                    tracing::warn!(video_id, %error, "{left}");
                }
            }
            Err(error) => tracing::warn!(video_id, %error, "{left}"),
        }
    }

    /// Whether the bucket certainly isn't this database's. A copy of a database may name the original's bucket, whose objects must stay; and a bucket
    /// without the objects answers each deletion with success, so the row would go and the objects would stay. A change is logged once.
    async fn is_bound_elsewhere(&self) -> Result<bool, ReapError> {
        let uploads = Uploads {
            db: self.db.clone(),
            store: self.store.clone(),
        };
        let is_elsewhere = bucket::is_bound_elsewhere(&uploads).await?;
        let was_elsewhere = self.is_elsewhere.swap(is_elsewhere, Ordering::Relaxed);
        match (was_elsewhere, is_elsewhere) {
            (false, true) => tracing::error!(
                "deletions wait: this bucket isn't the one that the database is bound to; {}",
                bucket::ADOPT
            ),
            (true, false) => tracing::info!("the bucket is this database's: deletions go on"),
            _ => {}
        }
        Ok(is_elsewhere)
    }

    /// Sets the tombstones of the video, then sweeps its likes and comments for a limited time. Returns whether any are left.
    async fn forget(&self, video_id: i64) -> Result<bool, VideoError> {
        let likes = self.favorite.forget_favorites(ForgetFavoritesRequest {
            kind: Deletable::VIDEO,
            id: video_id,
        });
        let comments = self.comment.forget_comments(ForgetCommentsRequest {
            kind: Deletable::VIDEO,
            id: video_id,
        });
        let (likes, comments) = tokio::join!(likes, comments);
        let likes = likes.map_err(RpcError::from)?;
        let comments = comments.map_err(RpcError::from)?;
        Ok(likes.has_more || comments.has_more)
    }

    /// The last steps: the objects, then the row of the deletion.
    async fn remove(&self, deletion: &Deletion) -> Result<(), VideoError> {
        for key in &deletion.object_keys {
            self.store.delete(key).await?;
            // A kept original has its cover beside it, too.
            let cover = object_key::cover(key);
            let small_cover = object_key::small_cover(cover.as_deref().unwrap_or(key));
            let beside = cover.into_iter().chain(small_cover);
            for key in beside.chain(object_key::small(key)) {
                self.store.delete(&key).await?;
            }
        }
        deletions::finish(&self.db, deletion.video_id).await?;
        tracing::info!(video_id = deletion.video_id, "video deleted");
        Ok(())
    }

    /// Resumes a deletion; whether it is complete then. `may_remove`: whether its objects may be removed.
    async fn resume(&self, deletion: &Deletion, may_remove: bool) -> Result<bool, VideoError> {
        while self.forget(deletion.video_id).await? {}
        if may_remove {
            self.remove(deletion).await?;
        }
        Ok(may_remove)
    }

    /// Resumes every deletion that isn't complete; how many were completed, and how many could not be now. One process at a time. Nothing is done
    /// over another database's bucket. May be dropped at any point, as if the process were killed there: the next pass does the rest, and the lock
    /// ends with its connection.
    pub(crate) async fn pass(&self) -> Result<(u64, u64), VideoError> {
        let page = deletions::pending(&self.db, 0, PAGE).await?;
        if page.is_empty() {
            return Ok((0, 0));
        }
        let Some(lock) = Lock::take(&self.db, "deletions").await? else {
            return Ok((0, 0));
        };
        let outcome = self.resume_all(page).await;
        lock.release().await;
        outcome
    }

    /// Those of `page`, and all after it.
    async fn resume_all(&self, mut page: Vec<Deletion>) -> Result<(u64, u64), VideoError> {
        let may_remove = match self.is_bound_elsewhere().await {
            Ok(true) => return Ok((0, 0)),
            Ok(false) => true,
            Err(error) => {
                // Likes and comments need no bucket.
                tracing::warn!(%error, "whether the bucket is ours isn't known: objects of deleted videos are left to the next pass");
                false
            }
        };
        let (mut done, mut failed) = (0, 0);
        while let Some(last) = page.last() {
            let after = last.video_id;
            for deletion in &page {
                match self.resume(deletion, may_remove).await {
                    Ok(true) => done += 1,
                    Ok(false) => failed += 1,
                    Err(error) => {
                        failed += 1;
                        tracing::warn!(video_id = deletion.video_id, %error, "deletion not completed, the next pass tries again");
                    }
                }
            }
            page = deletions::pending(&self.db, after, PAGE).await?;
        }
        Ok((done, failed))
    }

    /// Lets a user publish no more, and begins to delete their videos, as many as there is time for; whether some are left.
    async fn forget_author(&self, counters: &Counters, user_id: i64) -> Result<bool, VideoError> {
        deletions::set_author_tombstone(&self.db, user_id).await?;
        let batch = async |limit| {
            let works = deletions::works(&self.db, user_id, limit).await?;
            for video_id in &works {
                let by = By::Author(user_id);
                deletions::begin(&self.db, counters, *video_id, by).await?;
            }
            Ok(works.len() as u64)
        };
        let has_more = Sweep::begin().run(batch).await?;
        self.more.notify_one();
        Ok(has_more)
    }
}

impl VideoService {
    pub(crate) async fn delete_own(
        &self,
        request: DeleteVideoRequest,
    ) -> Result<DeleteVideoResponse, VideoError> {
        let by = By::Author(request.user_id);
        let deletions = self.deletions()?;
        deletions
            .delete(&self.counters, request.video_id, by)
            .await?;
        Ok(DeleteVideoResponse {})
    }

    pub(crate) async fn take_down(
        &self,
        request: TakeDownVideoRequest,
    ) -> Result<TakeDownVideoResponse, VideoError> {
        let (video_id, reason) = (request.video_id, request.reason.to_string());
        let by = By::Operator(reason.clone());
        let deletions = self.deletions()?;
        deletions.delete(&self.counters, video_id, by).await?;
        tracing::info!(video_id, reason, "video taken down by an operator");
        Ok(TakeDownVideoResponse {})
    }

    pub(crate) async fn forget(
        &self,
        request: ForgetAuthorRequest,
    ) -> Result<ForgetAuthorResponse, VideoError> {
        let has_more = self
            .deletions()?
            .forget_author(&self.counters, request.user_id)
            .await?;
        Ok(ForgetAuthorResponse { has_more })
    }
}

/// Resumes deletions in the background until it is stopped.
pub struct DeletionTask {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl DeletionTask {
    /// Starts the task; needs a tokio runtime. Any number of processes may run it: a named lock lets one at a time make a pass.
    pub fn start(deletions: Deletions) -> Self {
        let (stop, mut stopped) = watch::channel(false);
        let task = vital::spawn("deletions", async move {
            loop {
                tokio::select! {
                    _ = stopped.changed() => break,
                    passed = deletions.pass() => {
                        if let Err(error) = passed {
                            tracing::warn!(%error, "deletions not carried on, the next pass tries again");
                        }
                    }
                }
                tokio::select! {
                    _ = stopped.changed() => break,
                    () = deletions.more.notified() => {}
                    () = tokio::time::sleep(PERIOD) => {}
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

#[cfg(test)]
mod tests;
