//! Finishes account deletions: makes the video, favorite, comment and relation services delete what they have of the user. Steps are
//! idempotent; the next pass of any process resumes what a killed one left.

use std::{sync::Arc, time::Duration};

use dal::{Db, Lock, accounts};
use idl::{
    base::Deletable,
    comment::{CommentServiceClient, ForgetCommentsRequest},
    favorite::{FavoriteServiceClient, ForgetFavoritesRequest},
    relation::{ForgetFollowsRequest, RelationServiceClient},
    video::{ForgetAuthorRequest, VideoServiceClient},
};
use service::{BoxError, RpcError};
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
};

/// Time between two passes: the longest wait before another process resumes a deletion.
const PERIOD: Duration = Duration::from_secs(2);
/// Deletions that are read at once.
const PAGE: u64 = 20;

/// Who has something of a user, and the deletions that aren't complete. Cheap to clone.
#[derive(Clone)]
pub struct Deletions {
    db: Db,
    video: VideoServiceClient,
    favorite: FavoriteServiceClient,
    comment: CommentServiceClient,
    relation: RelationServiceClient,
    more: Arc<Notify>,
}

impl Deletions {
    /// By these services.
    pub fn new(
        db: Db,
        video: VideoServiceClient,
        favorite: FavoriteServiceClient,
        comment: CommentServiceClient,
        relation: RelationServiceClient,
    ) -> Self {
        Self {
            db,
            video,
            favorite,
            comment,
            relation,
            more: Arc::default(),
        }
    }

    /// Starts a pass at once: a deletion was just begun in this process.
    pub(crate) fn wake(&self) {
        self.more.notify_one();
    }

    /// Resumes one and completes it.
    async fn resume(&self, user_id: i64) -> Result<(), BoxError> {
        let author = || ForgetAuthorRequest { user_id };
        while self
            .video
            .forget_author(author())
            .await
            .map_err(RpcError::from)?
            .has_more
        {}
        let likes = || ForgetFavoritesRequest {
            kind: Deletable::USER,
            id: user_id,
        };
        while self
            .favorite
            .forget_favorites(likes())
            .await
            .map_err(RpcError::from)?
            .has_more
        {}
        let comments = || ForgetCommentsRequest {
            kind: Deletable::USER,
            id: user_id,
        };
        while self
            .comment
            .forget_comments(comments())
            .await
            .map_err(RpcError::from)?
            .has_more
        {}
        let follows = || ForgetFollowsRequest { user_id };
        while self
            .relation
            .forget_follows(follows())
            .await
            .map_err(RpcError::from)?
            .has_more
        {}
        accounts::finish_deletion(&self.db, user_id).await?;
        tracing::info!(user_id, "nothing is left of a deleted account");
        Ok(())
    }

    /// One process at a time. May be dropped at any point, as if the process were killed there: the next pass does the rest, and the lock ends with its
    /// connection.
    async fn pass(&self) -> Result<(), BoxError> {
        let pending = accounts::deletions(&self.db, PAGE).await?;
        if pending.is_empty() {
            return Ok(());
        }
        let Some(lock) = Lock::take(&self.db, "account deletions").await? else {
            return Ok(());
        };
        for user_id in pending {
            if let Err(error) = self.resume(user_id).await {
                tracing::warn!(
                    user_id,
                    error,
                    "deletion not completed, the next pass tries again"
                );
            }
        }
        lock.release().await;
        Ok(())
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
        let task = vital::spawn("account deletions", async move {
            loop {
                tokio::select! {
                    _ = stopped.changed() => break,
                    passed = deletions.pass() => {
                        if let Err(error) = passed {
                            tracing::warn!(error, "deletions not carried on, the next pass tries again");
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
