//! Comments under videos: `comments`, one row each. Their ids are in the order of their birth, so the list is a range of ids.

mod batch;
mod comment;
mod sweep;
mod take_down;

use std::time::Duration;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};

use crate::{
    DalError, Db, Reader,
    counters::Counters,
    db::WRITE_DEADLINE,
    entity::comment::{Column, Entity},
    group_commit::Queue,
    id_list::Page,
};
use batch::{CommentOp, Written};
pub use comment::{Comment, DeleteComment, Deletion, NewComment};
pub use sweep::{set_tombstone, sweep};
pub use take_down::take_down;

/// Adds and deletes comments, together with whoever does at the same moment. Cheap to clone; one a process.
#[derive(Clone)]
pub struct Comments(Queue<CommentOp>);

impl Comments {
    /// Starts writing, in a tokio runtime; ends when the last clone is gone and nothing waits any more.
    pub fn start(db: Db, counters: Counters) -> Self {
        Self(Queue::start(db, counters))
    }

    /// Adds a comment, stamped by the primary's clock. When this returns, it is committed, counted, and in Redis. Not idempotent, but
    /// with a key: then a repeat gives the first comment, and [`DalError::KeyReused`] when the key came with another. A call that is
    /// dropped may still be carried out, within its deadline.
    ///
    /// [`DalError::Unavailable`] and [`DalError::TimedOut`]: it may or may not have happened, except that too many that wait is
    /// `Unavailable` too; but it doesn't happen any more. [`DalError::NotFound`]: the video or the user is deleted; nothing is stored.
    pub async fn add(&self, comment: NewComment) -> Result<Comment, DalError> {
        self.add_within(comment, WRITE_DEADLINE).await
    }

    /// [`add`](Self::add) for somebody who waits no longer than `limit`.
    pub async fn add_within(
        &self,
        comment: NewComment,
        limit: Duration,
    ) -> Result<Comment, DalError> {
        match self.0.commit(CommentOp::Add(comment), limit).await? {
            Written::Added(comment) => Ok(comment),
            Written::Deleted(_) => Err(DalError::NotFound),
        }
    }

    /// Deletes a comment if it is there and the user may; decided on the row, locked. Errors are those of [`add`](Self::add).
    pub async fn delete(&self, comment: DeleteComment) -> Result<Deletion, DalError> {
        self.delete_within(comment, WRITE_DEADLINE).await
    }

    /// [`delete`](Self::delete) for somebody who waits no longer than `limit`.
    pub async fn delete_within(
        &self,
        comment: DeleteComment,
        limit: Duration,
    ) -> Result<Deletion, DalError> {
        match self.0.commit(CommentOp::Delete(comment), limit).await? {
            Written::Deleted(deletion) => Ok(deletion),
            Written::Added(_) => Err(DalError::NotFound),
        }
    }
}

/// The comments under a video: at most `limit`, newest first; those before the place `before` (absent: from the newest).
pub async fn list(
    db: &Db,
    video_id: i64,
    before: Option<i64>,
    limit: u64,
    reader: &Reader,
) -> Result<Page<Comment>, DalError> {
    let before = before.unwrap_or(i64::MAX);
    let comments = under(video_id, before, limit.saturating_add(1))
        .into_partial_model()
        .all(&db.read(reader))
        .await?;
    Ok(Page::cut(comments, limit, |comment: &Comment| comment.id))
}

pub(crate) fn under(video_id: i64, before: i64, limit: u64) -> Select<Entity> {
    Entity::find()
        .filter(Column::VideoId.eq(video_id))
        .filter(Column::Id.lt(before))
        .order_by_desc(Column::Id)
        .limit(limit)
}
