//! Who likes what: `favorites`, one row a like.
//!
//! Writing goes through [`Favorites`], which lets concurrent likes share statements and a commit. Reading is a function each.

mod batch;
mod queue;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select};

use crate::{
    DalError, Db, Reader,
    entity::favorite::{Column, Entity},
    id_list::{self, Page},
};

pub use queue::{Favorites, set_alone};

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
