//! Videos: the feed, works, videos and authors by id, and how a video is published. The table `videos` is the truth.
//!
//! A video that isn't ready (it is processed, or that has failed) has no publish time, and is in no list but its author's.

mod publish;

use marks::Subject;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, DerivePartialModel, EntityTrait, QueryFilter,
    QueryOrder, QuerySelect, Select, Statement,
    sea_query::{Expr, SimpleExpr},
};

use crate::{
    DalError, Db, Reader,
    counters::Counters,
    counts::{Counter, folded},
    db::Read,
    entity::video::{Column, Entity},
    id_list::{self, Page},
    idempotency::{First, Key},
    uploads,
};

pub use publish::{Media, NewVideo, Outcome, Small, confirm, publish};
pub(crate) use publish::{forget_uploads, lock_uploads, stamp};

/// Whether viewers get a video.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Everybody does.
    Ready,
    /// Only its author, as it was uploaded; a job makes what all others will get.
    Processing,
    /// Only its author: it can't be processed.
    Failed,
}

impl State {
    pub(crate) fn number(self) -> i8 {
        match self {
            Self::Ready => 0,
            Self::Processing => 1,
            Self::Failed => 2,
        }
    }
}

/// What a page shows of a video. When it is ready, its author, title and publish time never change again; its keys and sizes may, once, when
/// something better takes their place. Counts are as of the last fold.
#[derive(Debug, Clone, PartialEq, Eq, DerivePartialModel)]
#[sea_orm(entity = "Entity")]
pub struct Video {
    /// From 1 up.
    pub id: i64,
    /// The user who published it.
    pub author_id: i64,
    /// 1 to 100 characters.
    pub title: String,
    /// Where the object store has what plays: a derived object, or the upload until there is one.
    pub object_key: String,
    /// Where the object store has its cover.
    pub cover_key: String,
    /// Whether there is a small cover beside it.
    pub has_small_cover: bool,
    /// Unique among all videos; UTC, by the primary's clock. 0: it isn't ready.
    #[sea_orm(from_expr = r#"or_zero("published_ms")"#)]
    pub published_ms: i64,
    /// When it was uploaded; UTC, by the primary's clock. 0: before uploads and publish times were told apart.
    pub created_ms: i64,
    #[sea_orm(from_expr = r#"Expr::cust("videos.state")"#)]
    state: i8,
    /// Of the job, in percent.
    pub progress: i8,
    /// Why it failed, in words; empty: it hasn't.
    pub reason: String,
    /// Playing time.
    pub duration_ms: i64,
    /// Pixels, as viewed.
    pub width: i32,
    /// Pixels, as viewed.
    pub height: i32,
    /// Bits a second of what plays; 0: unknown.
    pub bit_rate: i32,
    /// Height of the small rendition beside it, in pixels; 0: there is none.
    pub small_height: i32,
    /// Its bits a second.
    pub small_bit_rate: i32,
    /// Likes, folded.
    #[sea_orm(from_expr = r#"folded(Counter::VideoFavorites, "videos.id")"#)]
    pub favorite_count: i64,
    /// Comments, folded.
    #[sea_orm(from_expr = r#"folded(Counter::VideoComments, "videos.id")"#)]
    pub comment_count: i64,
}

impl Video {
    /// Whether viewers get it.
    pub fn state(&self) -> State {
        match self.state {
            1 => State::Processing,
            2 => State::Failed,
            _ => State::Ready,
        }
    }
}

fn or_zero(column: &'static str) -> SimpleExpr {
    Expr::cust(format!("COALESCE(videos.{column}, 0)"))
}

/// A page of the feed: at most `limit` videos published strictly before `before_ms` (absent: no bound), newest first.
/// A page that is empty on a replica is asked once more on the primary: the first video of all is seen at once.
pub async fn feed_page(
    db: &Db,
    before_ms: Option<i64>,
    limit: u64,
    reader: &Reader,
) -> Result<Vec<Video>, DalError> {
    let page = newest(before_ms.unwrap_or(i64::MAX), limit);
    let read = db.read(reader);
    let videos = page.clone().into_partial_model().all(&read).await?;
    if videos.is_empty() && read.may_be_stale() {
        return Ok(page
            .into_partial_model()
            .all(&db.reread_on_primary())
            .await?);
    }
    Ok(videos)
}

/// A time after every publish so far, by the primary's clock, which stamps them: also when the clock was set back since.
pub async fn now_ms(db: &Db) -> Result<i64, DalError> {
    let statement = Statement::from_string(
        DbBackend::MySql,
        "SELECT GREATEST(CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED), COALESCE(MAX(published_ms) + 1, 0)) AS now_ms FROM videos",
    );
    let row = db.read_own_writes().query_one_raw(statement).await?;
    let row = row.ok_or(DalError::NotFound)?;
    Ok(row.try_get("", "now_ms")?)
}

/// There is always a bound, so that every page is the same range.
pub(crate) fn newest(before_ms: i64, limit: u64) -> Select<Entity> {
    Entity::find()
        .filter(Column::PublishedMs.lt(before_ms))
        .order_by_desc(Column::PublishedMs)
        .limit(limit)
}

/// The works of an author: at most `limit`, in the order of their ids, newest first; those before the place `before` (absent: from
/// the newest). With those that aren't ready if `is_own`: only the author sees them.
pub async fn by_author(
    db: &Db,
    author_id: i64,
    before: Option<i64>,
    limit: u64,
    is_own: bool,
    reader: &Reader,
) -> Result<Page<Video>, DalError> {
    let before = before.unwrap_or(i64::MAX);
    let videos = works_before(author_id, before, limit.saturating_add(1), is_own)
        .into_partial_model()
        .all(&db.read(reader))
        .await?;
    Ok(Page::cut(videos, limit, |video: &Video| video.id))
}

/// Few videos of an author aren't ready, so others read few rows more than they get. The condition is on `state`, which no index has: one on
/// `published_ms` would lead the optimizer to an index with another order.
pub(crate) fn works_before(
    author_id: i64,
    before: i64,
    limit: u64,
    is_own: bool,
) -> Select<Entity> {
    let works = Entity::find()
        .filter(Column::AuthorId.eq(author_id))
        .filter(Column::Id.lt(before))
        .order_by_desc(Column::Id)
        .limit(limit);
    match is_own {
        true => works,
        false => works.filter(Column::State.eq(State::Ready.number())),
    }
}

/// How many videos of this author are processed or have failed; read on the primary.
pub async fn unfinished_of(db: &Db, author_id: i64) -> Result<u64, DalError> {
    let row = db
        .read_own_writes()
        .query_one_raw(unfinished(author_id))
        .await?;
    let count: Option<i64> = row.map(|row| row.try_get("", "unfinished")).transpose()?;
    Ok(count.unwrap_or_default().unsigned_abs())
}

pub(crate) fn unfinished(author_id: i64) -> Statement {
    Statement::from_sql_and_values(
        DbBackend::MySql,
        "SELECT COUNT(*) AS unfinished FROM videos WHERE author_id = ? AND published_ms IS NULL",
        [author_id.into()],
    )
}

/// The videos with these ids that are ready, in no particular order; an id that names none is left out. One statement; what a replica lacks is
/// asked once more on the primary. No ids, no statement.
pub async fn mget(db: &Db, ids: &[i64], reader: &Reader) -> Result<Vec<Video>, DalError> {
    id_list::fetch_all(db, ids, reader, |video: &Video| video.id, by_ids).await
}

/// One video, also if it isn't ready, for its author; read on the primary.
pub async fn own(db: &Db, id: i64, author_id: i64) -> Result<Option<Video>, DalError> {
    let own = Entity::find_by_id(id).filter(Column::AuthorId.eq(author_id));
    let primary = db.read_own_writes();
    Ok(own.into_partial_model().one(&primary).await?)
}

async fn by_ids(read: Read<'_>, ids: Vec<i64>) -> Result<Vec<Video>, DalError> {
    Ok(with_ids(ids).into_partial_model().all(&read).await?)
}

pub(crate) fn with_ids(ids: Vec<i64>) -> Select<Entity> {
    Entity::find()
        .filter(Column::Id.is_in(ids))
        .filter(Column::State.eq(State::Ready.number()))
}

/// Whose these videos are, as (video id, author id), in no particular order; an id that names none that is ready is left out. One statement;
/// what a replica lacks is asked once more on the primary: a video that it has exists, and keeps its author. No ids, no statement.
pub async fn authors_of(
    db: &Db,
    ids: &[i64],
    reader: &Reader,
) -> Result<Vec<(i64, i64)>, DalError> {
    id_list::fetch_all(db, ids, reader, |(id, _): &(i64, i64)| *id, authors).await
}

async fn authors(read: Read<'_>, ids: Vec<i64>) -> Result<Vec<(i64, i64)>, DalError> {
    let columns = [Column::Id, Column::AuthorId];
    let whose = with_ids(ids).select_only().columns(columns);
    Ok(whose.into_tuple().all(&read).await?)
}

/// What the first publish of this author with this key made, if there was one. [`DalError::KeyReused`] when the key came with another
/// title or file.
pub async fn by_key(
    db: &Db,
    counters: &Counters,
    author_id: i64,
    key: &Key,
) -> Result<Option<First>, DalError> {
    key.first(db, counters, vec![Subject::User(author_id)])
        .await
}

/// The video of an upload, if it was published; read on the primary, after a publish or an abort of it that is under way.
pub async fn by_object_key(db: &Db, object_key: &str) -> Result<Option<Video>, DalError> {
    let primary = db.read_own_writes();
    // Whoever publishes or aborts has a lock on this row until it is known how that ended.
    let keys = vec![object_key.to_owned()];
    let under_way = uploads::with_keys(keys.clone()).lock_exclusive();
    under_way.into_tuple::<String>().one(&primary).await?;
    let video = with_object_keys(keys).into_partial_model();
    Ok(video.one(&primary).await?)
}

pub(crate) fn with_object_keys(object_keys: Vec<String>) -> Select<Entity> {
    Entity::find().filter(Column::ObjectKey.is_in(object_keys))
}

/// The videos whose upload is kept under one of these keys.
pub(crate) fn with_original_keys(original_keys: Vec<String>) -> Select<Entity> {
    Entity::find().filter(Column::OriginalKey.is_in(original_keys))
}
