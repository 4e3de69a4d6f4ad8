//! Who likes what: `favorites`, one row a like.
//!
//! Writing goes through [`Favorites`], which lets concurrent likes share statements and a commit. Reading is a function each.

mod batch;
mod queue;

use sea_orm::{
    ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect, Select,
    sea_query::Condition,
};

use crate::{
    DalError, Db, Reader,
    db::Read,
    entity::favorite::{Column, Entity},
    id_list,
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

/// The videos that a user likes: at most `limit`, the latest like first, and whether more follow; those after the video
/// `before_video_id` (absent: from the latest). [`DalError::NotFound`] when the user doesn't like that one.
pub async fn list(
    db: &Db,
    user_id: i64,
    before_video_id: Option<i64>,
    limit: u64,
    reader: &Reader,
) -> Result<(Vec<i64>, bool), DalError> {
    let page = |read| page(read, user_id, before_video_id, limit);
    db.find(reader, page).await
}

async fn page(
    read: Read<'_>,
    user_id: i64,
    before_video_id: Option<i64>,
    limit: u64,
) -> Result<(Vec<i64>, bool), DalError> {
    let before = match before_video_id {
        None => (i64::MAX, i64::MAX),
        Some(video_id) => Entity::find_by_id((user_id, video_id))
            .select_only()
            .column(Column::LikedUs)
            .column(Column::VideoId)
            .into_tuple()
            .one(&read)
            .await?
            .ok_or(DalError::NotFound)?,
    };
    let mut videos: Vec<i64> = liked_before(user_id, before, limit.saturating_add(1))
        .into_tuple()
        .all(&read)
        .await?;
    let has_more = id_list::cut(&mut videos, limit);
    Ok((videos, has_more))
}

/// `before` is the order's key: when it was liked, and for likes of one moment the id.
pub(crate) fn liked_before(user_id: i64, before: (i64, i64), limit: u64) -> Select<Entity> {
    let (liked_us, video_id) = before;
    let same_moment = Column::LikedUs
        .eq(liked_us)
        .and(Column::VideoId.lt(video_id));
    Entity::find()
        .select_only()
        .column(Column::VideoId)
        .filter(Column::UserId.eq(user_id))
        .filter(
            Condition::any()
                .add(Column::LikedUs.lt(liked_us))
                .add(same_moment),
        )
        .order_by_desc(Column::LikedUs)
        .order_by_desc(Column::VideoId)
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
