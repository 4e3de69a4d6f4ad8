//! Who likes what: `favorites`, one row a like.
//!
//! Writing goes through [`Favorites`], which lets concurrent likes share statements and a commit. Reading is a function each.

mod batch;
mod sweep;

use std::time::Duration;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};

use crate::{
    DalError, Db, Reader,
    counters::Counters,
    db::WRITE_DEADLINE,
    entity::favorite::{Column, Entity},
    group_commit::Queue,
    id_list::{self, Page},
    tombstones::Deleted,
};
pub use sweep::{set_tombstone, sweep};

/// Writes likes, together with whoever likes at the same moment. Cheap to clone; one a process.
#[derive(Clone)]
pub struct Favorites(Queue<FavoriteOp>);

impl Favorites {
    /// Starts writing, in a tokio runtime; ends when the last clone is gone and nothing waits any more.
    pub fn start(db: Db, counters: Counters) -> Self {
        Self(Queue::start(db, counters))
    }

    /// Makes a like be there or not, and tells whether that changed anything. Idempotent: a like that is there keeps its place
    /// in the list. When this returns, the change is committed, counted, and in Redis. A call that is dropped may still be carried
    /// out, within its deadline.
    ///
    /// [`DalError::Unavailable`] and [`DalError::TimedOut`]: it may or may not have happened, except that too many ops waiting
    /// is `Unavailable` too; but it doesn't happen any more, so that it can't undo what is done later. Repeating is harmless; it then
    /// tells `false` if it had happened. [`DalError::NotFound`]: the video or the user is deleted; nothing is stored.
    pub async fn set(&self, op: FavoriteOp) -> Result<bool, DalError> {
        self.set_within(op, WRITE_DEADLINE).await
    }

    /// [`set`](Self::set) for somebody who waits no longer than `limit`.
    pub async fn set_within(&self, op: FavoriteOp, limit: Duration) -> Result<bool, DalError> {
        self.0.commit(op, limit).await
    }
}

/// A user likes a video, or doesn't any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FavoriteOp {
    /// Who.
    pub user_id: i64,
    /// Which video; the caller knows that it exists.
    pub video_id: i64,
    /// Who published that video: the likes they have received are counted too.
    pub author_id: i64,
    /// Whether it shall be liked from now on.
    pub liked: bool,
}

impl FavoriteOp {
    /// What there is at most one row of.
    fn pair(self) -> (i64, i64) {
        (self.user_id, self.video_id)
    }

    /// What its row would refer to.
    fn refers_to(self) -> [Deleted; 2] {
        [Deleted::Video(self.video_id), Deleted::User(self.user_id)]
    }

    /// With the author that its row was counted for.
    fn counted_for(self, author_id: Option<&i64>) -> Self {
        let author_id = author_id.copied().unwrap_or(self.author_id);
        Self { author_id, ..self }
    }
}

/// The videos that a user likes: at most `limit`, the latest like first; those before the place `before` (absent: from the latest).
pub async fn list(
    db: &Db,
    user_id: i64,
    before: Option<i64>,
    limit: u64,
    reader: &Reader,
) -> Result<Page<i64>, DalError> {
    let before = before.unwrap_or(i64::MAX);
    let liked: Vec<(i64, i64)> = liked_before(user_id, before, limit.saturating_add(1))
        .into_tuple()
        .all(&db.read(reader))
        .await?;
    let Page {
        entries,
        next_before,
    } = Page::cut(liked, limit, |(_, liked_us)| *liked_us);
    Ok(Page {
        entries: entries.into_iter().map(|(video_id, _)| video_id).collect(),
        next_before,
    })
}

/// When it was liked is the place in the list: no two likes of a user have the same.
pub(crate) fn liked_before(user_id: i64, before: i64, limit: u64) -> Select<Entity> {
    Entity::find()
        .select_only()
        .column(Column::VideoId)
        .column(Column::LikedUs)
        .filter(Column::UserId.eq(user_id))
        .filter(Column::LikedUs.lt(before))
        .order_by_desc(Column::LikedUs)
        .limit(limit)
}

/// Which of these videos the user likes, in no particular order. One statement; no ids, no statement.
pub async fn liked_among(
    db: &Db,
    user_id: i64,
    video_ids: &[i64],
    reader: &Reader,
) -> Result<Vec<i64>, DalError> {
    if video_ids.is_empty() {
        return Ok(Vec::new());
    }
    Ok(liked_of(user_id, id_list::padded(video_ids))
        .into_tuple()
        .all(&db.read(reader))
        .await?)
}

pub(crate) fn liked_of(user_id: i64, video_ids: Vec<i64>) -> Select<Entity> {
    Entity::find()
        .select_only()
        .column(Column::VideoId)
        .filter(Column::UserId.eq(user_id))
        .filter(Column::VideoId.is_in(video_ids))
}
