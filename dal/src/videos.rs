//! Published videos: publish, the feed, works, videos and authors by id. The table `videos` is the truth.

use marks::Subject;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr,
    DerivePartialModel, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect, Select,
    Statement,
};

use crate::{
    DalError, Db, Reader,
    counters::Counters,
    counts::{Counter, folded},
    db::{Read, Transaction},
    entity::{
        upload,
        video::{ActiveModel, Column, Entity},
    },
    error,
    id_list::{self, Page},
    idempotency::{First, Key},
    ledger::{self, Counted, Deltas},
    tombstones::{Deleted, Tombstones},
    uploads,
};

/// Neighbouring milliseconds that may be taken at most.
const MAX_STAMPS: i64 = 1000;
/// Neighbours that are tried before a query asks which one is free: as a rule few publishes collide.
const STAMPS_IN_A_ROW: i64 = 16;

/// What a page shows of a video. Only its counts ever change; these are as of the last fold.
#[derive(Debug, Clone, PartialEq, Eq, DerivePartialModel)]
#[sea_orm(entity = "Entity")]
pub struct Video {
    /// From 1 up.
    pub id: i64,
    /// The user who published it.
    pub author_id: i64,
    /// 1 to 100 characters.
    pub title: String,
    /// Where the object store has the video.
    pub object_key: String,
    /// Where the object store has its cover.
    pub cover_key: String,
    /// Unique among all videos; UTC, by the primary's clock.
    pub published_ms: i64,
    /// Likes, folded.
    #[sea_orm(from_expr = r#"folded(Counter::VideoFavorites, "videos.id")"#)]
    pub favorite_count: i64,
    /// Comments, folded.
    #[sea_orm(from_expr = r#"folded(Counter::VideoComments, "videos.id")"#)]
    pub comment_count: i64,
}

/// A video to publish: uploaded, probed, its cover taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVideo {
    /// The user who publishes; the upload must be theirs.
    pub author_id: i64,
    /// 1 to 100 characters.
    pub title: String,
    /// The key under which the upload was recorded.
    pub object_key: String,
    /// Where the object store has its cover.
    pub cover_key: String,
    /// Size of the object.
    pub size_bytes: i64,
    /// Digest of the object, lower-case hex.
    pub sha256: String,
    /// Playing time, above 0.
    pub duration_ms: i64,
    /// Pixels.
    pub width: i32,
    /// Pixels.
    pub height: i32,
    /// Makes a repeat harmless; made of title and digest.
    pub key: Option<Key>,
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
/// the newest).
pub async fn by_author(
    db: &Db,
    author_id: i64,
    before: Option<i64>,
    limit: u64,
    reader: &Reader,
) -> Result<Page<Video>, DalError> {
    let before = before.unwrap_or(i64::MAX);
    let videos = works_before(author_id, before, limit.saturating_add(1))
        .into_partial_model()
        .all(&db.read(reader))
        .await?;
    Ok(Page::cut(videos, limit, |video: &Video| video.id))
}

pub(crate) fn works_before(author_id: i64, before: i64, limit: u64) -> Select<Entity> {
    Entity::find()
        .filter(Column::AuthorId.eq(author_id))
        .filter(Column::Id.lt(before))
        .order_by_desc(Column::Id)
        .limit(limit)
}

/// The videos with these ids, in no particular order; an id that names none is left out. One statement; what a replica lacks is
/// asked once more on the primary. No ids, no statement.
pub async fn mget(db: &Db, ids: &[i64], reader: &Reader) -> Result<Vec<Video>, DalError> {
    id_list::fetch_all(db, ids, reader, |video: &Video| video.id, by_ids).await
}

async fn by_ids(read: Read<'_>, ids: Vec<i64>) -> Result<Vec<Video>, DalError> {
    Ok(with_ids(ids).into_partial_model().all(&read).await?)
}

pub(crate) fn with_ids(ids: Vec<i64>) -> Select<Entity> {
    Entity::find().filter(Column::Id.is_in(ids))
}

/// Whose these videos are, as (video id, author id), in no particular order; an id that names none is left out. One statement;
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

/// Publishes: stores the video, stamped by the primary's clock, counts it, and forgets its upload, all or nothing. When this
/// returns, Redis knows the author's new count of works. Not idempotent: who isn't answered asks [`by_object_key`].
/// [`DalError::Duplicate`] when another publish with its idempotency key was first, whose video [`by_key`] tells.
/// [`DalError::NotFound`] when the upload isn't recorded, isn't this author's or is being aborted: the row's lock lets either the
/// publish or the abort win, never both; and when the author is deleted.
pub async fn publish(db: &Db, counters: &Counters, video: &NewVideo) -> Result<Video, DalError> {
    ledger::commit(db, counters, video.clone()).await
}

/// Publishing, as a transaction.
impl Transaction for NewVideo {
    type Output = Counted<Video>;

    async fn run(&self, transaction: &DatabaseTransaction) -> Result<Self::Output, DalError> {
        let clock_ms = lock_upload(transaction, self).await?;
        upload::Entity::delete_by_id(self.object_key.as_str())
            .exec(transaction)
            .await?;
        // Last: from here to the commit, others of the same millisecond wait.
        let stored = insert_stamped(transaction, self, clock_ms).await?;
        if Tombstones::Videos
            .has(transaction, Deleted::User(self.author_id))
            .await?
        {
            return Err(DalError::NotFound);
        }
        if let Some(key) = &self.key {
            let made = First {
                id: stored.id,
                created_ms: stored.published_ms,
            };
            key.record(transaction, made).await?;
        }
        Ok(Counted {
            output: stored,
            deltas: Deltas::of(Counter::UserWorks(self.author_id), 1),
            marked: vec![Subject::User(self.author_id)],
        })
    }
}

/// Locks the row of the upload and reads the primary's clock, in one trip.
async fn lock_upload(transaction: &DatabaseTransaction, video: &NewVideo) -> Result<i64, DalError> {
    #[derive(FromQueryResult)]
    struct Clock {
        now_ms: i64,
    }
    let statement = Statement::from_sql_and_values(
        DbBackend::MySql,
        "SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED) AS now_ms FROM uploads \
         WHERE object_key = ? AND author_id = ? AND aborting = 0 FOR UPDATE",
        [video.object_key.as_str().into(), video.author_id.into()],
    );
    let row = transaction.query_one_raw(statement).await?;
    let row = row.ok_or(DalError::NotFound)?;
    Ok(Clock::from_query_result(&row, "")?.now_ms)
}

/// Inserts with `published_ms` = `clock_ms`, or the next millisecond that no other video has: the unique key decides.
async fn insert_stamped(
    transaction: &DatabaseTransaction,
    video: &NewVideo,
    clock_ms: i64,
) -> Result<Video, DalError> {
    let end_ms = clock_ms.saturating_add(MAX_STAMPS);
    let (mut published_ms, mut tries) = (clock_ms, 0);
    while published_ms < end_ms {
        let row = ActiveModel {
            author_id: Set(video.author_id),
            title: Set(video.title.clone()),
            object_key: Set(video.object_key.clone()),
            cover_key: Set(video.cover_key.clone()),
            size_bytes: Set(video.size_bytes),
            sha256: Set(video.sha256.clone()),
            duration_ms: Set(video.duration_ms),
            width: Set(video.width),
            height: Set(video.height),
            published_ms: Set(published_ms),
            ..Default::default()
        };
        match Entity::insert(row).exec(transaction).await {
            Err(e) if error::violates_key(&e, "videos_published_ms") => {}
            Err(e) => return Err(e.into()),
            Ok(inserted) => {
                return Ok(Video {
                    id: inserted.last_insert_id,
                    author_id: video.author_id,
                    title: video.title.clone(),
                    object_key: video.object_key.clone(),
                    cover_key: video.cover_key.clone(),
                    published_ms,
                    favorite_count: 0,
                    comment_count: 0,
                });
            }
        }
        tries += 1;
        published_ms = match tries % STAMPS_IN_A_ROW {
            0 => free_after(transaction, published_ms, end_ms).await?,
            _ => published_ms.saturating_add(1),
        };
    }
    Err(DalError::NoPublishTime)
}

/// The first millisecond after `taken_ms` that is free as far as one can see; `end_ms` when none is before it.
async fn free_after(
    transaction: &DatabaseTransaction,
    taken_ms: i64,
    end_ms: i64,
) -> Result<i64, DbErr> {
    let statement = Statement::from_sql_and_values(
        DbBackend::MySql,
        "SELECT COALESCE(MIN(taken.published_ms) + 1, ?) AS free_ms FROM videos AS taken \
         LEFT JOIN videos AS next ON next.published_ms = taken.published_ms + 1 \
         WHERE taken.published_ms >= ? AND taken.published_ms < ? AND next.id IS NULL",
        [end_ms.into(), taken_ms.into(), end_ms.into()],
    );
    let row = transaction.query_one_raw(statement).await?;
    row.map_or(Ok(end_ms), |row| row.try_get("", "free_ms"))
}
