//! Publishing: stores a video that is ready, or that a job will make ready.

use marks::Subject;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr,
    EntityTrait, QueryFilter, Statement,
};

use super::{State, Video};
use crate::{
    DalError, Db,
    counters::Counters,
    counts::Counter,
    db::Transaction,
    entity::{
        upload,
        video::{ActiveModel, Entity},
    },
    error,
    idempotency::{First, Key},
    jobs,
    ledger::{self, Counted, Deltas},
    tombstones::{Deleted, Tombstones},
};

/// Neighbouring milliseconds that may be taken at most.
const MAX_STAMPS: i64 = 1000;
/// Neighbours that are tried before a query asks which one is free: as a rule few publishes collide.
const STAMPS_IN_A_ROW: i64 = 16;

/// What plays, and how it looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// Where the object store has it.
    pub object_key: String,
    /// Where the object store has its cover.
    pub cover_key: String,
    /// Whether there is a small cover beside it.
    pub has_small_cover: bool,
    /// Playing time, above 0.
    pub duration_ms: i64,
    /// Pixels, as viewed.
    pub width: i32,
    /// Pixels, as viewed.
    pub height: i32,
    /// Bits a second; 0: unknown.
    pub bit_rate: i32,
    /// The small rendition beside it.
    pub small: Option<Small>,
}

/// A small rendition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Small {
    /// Where the object store has it.
    pub object_key: String,
    /// Pixels, as viewed.
    pub height: i32,
    /// Bits a second.
    pub bit_rate: i32,
}

/// What becomes of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The media are ready: derived objects, recorded as uploads are, or the upload itself. Of a derived object the original is kept, or
    /// can no longer be published and is to be removed.
    Ready {
        /// Whether the original is kept.
        keep_original: bool,
    },
    /// A job will make them; until then they are the upload.
    Job {
        /// Videos of the author that are processed or have failed, this one included, at most.
        max_unfinished: u64,
    },
}

/// A video to publish: uploaded, probed, its cover taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVideo {
    /// The user who publishes; the upload must be theirs.
    pub author_id: i64,
    /// 1 to 100 characters.
    pub title: String,
    /// The key under which the upload was recorded.
    pub upload_key: String,
    /// Size of the upload.
    pub size_bytes: i64,
    /// Digest of the upload, lower-case hex.
    pub sha256: String,
    /// What the author gets, and viewers if it is ready.
    pub media: Media,
    /// What becomes of it.
    pub outcome: Outcome,
    /// Makes a repeat harmless; made of title and digest.
    pub key: Option<Key>,
}

/// Publishes: stores the video, and forgets the uploads that it consists of, all or nothing. A video that is ready is stamped by the
/// primary's clock and counted: when this returns, Redis knows the author's new count of works. Not idempotent: who isn't answered asks
/// [`confirm`].
/// [`DalError::Duplicate`] when another publish with its idempotency key was first, whose video [`super::by_key`] tells.
/// [`DalError::NotFound`] when an upload isn't recorded, isn't this author's or is being aborted: the row's lock lets either the
/// publish or the abort win, never both; and when the author is deleted. [`DalError::TooManyUnfinished`] when too many of the author's videos aren't ready.
pub async fn publish(db: &Db, counters: &Counters, video: &NewVideo) -> Result<Video, DalError> {
    ledger::commit(db, counters, video.clone()).await
}

/// The video of an upload, if it was published, for a publish whose outcome is unknown. Waits for a publish or an abort that is under way.
/// When this returns the video, its author is marked, and Redis knows their count of works: the publish that failed may have committed
/// without that. After an error it must not be acknowledged.
pub async fn confirm(
    db: &Db,
    counters: &Counters,
    object_key: &str,
) -> Result<Option<Video>, DalError> {
    let Some(video) = super::by_object_key(db, object_key).await? else {
        return Ok(None);
    };
    let confirmed = ledger::commit(db, counters, Confirm(video)).await?;
    Ok(Some(confirmed))
}

/// A transaction that changes nothing, after the one that has published.
struct Confirm(Video);

impl Transaction for Confirm {
    type Output = Counted<Video>;

    async fn run(&self, _: &DatabaseTransaction) -> Result<Self::Output, DalError> {
        let Self(video) = self;
        let deltas = match video.state() {
            State::Ready => Deltas::zero(Counter::UserWorks(video.author_id)),
            // Not counted yet.
            State::Processing | State::Failed => Deltas::default(),
        };
        Ok(Counted {
            output: video.clone(),
            deltas,
            marked: vec![Subject::User(video.author_id)],
        })
    }
}

/// Publishing, as a transaction.
impl Transaction for NewVideo {
    type Output = Counted<Video>;

    async fn run(&self, transaction: &DatabaseTransaction) -> Result<Self::Output, DalError> {
        let created_ms = self.take_uploads(transaction).await?;
        if let Outcome::Job { max_unfinished } = self.outcome {
            jobs::admit(transaction, self.author_id, max_unfinished).await?;
        }
        let mut stored = self.insert(transaction, created_ms).await?;
        if let Some(original) = self.replaced() {
            begin_removal(transaction, original, stored.id).await?;
        }
        let is_deleted = Tombstones::Videos.has(transaction, Deleted::User(self.author_id));
        if is_deleted.await? {
            return Err(DalError::NotFound);
        }
        let deltas = match self.outcome {
            Outcome::Job { .. } => {
                jobs::add(transaction, stored.id, self.author_id).await?;
                Deltas::default()
            }
            Outcome::Ready { .. } => {
                // Late: from here to the commit, others of the same millisecond wait.
                stored.published_ms = stamp(transaction, stored.id, created_ms).await?;
                Deltas::of(Counter::UserWorks(self.author_id), 1)
            }
        };
        if let Some(key) = &self.key {
            let made = First {
                id: stored.id,
                created_ms,
            };
            key.record(transaction, made).await?;
        }
        Ok(Counted {
            output: stored,
            deltas,
            marked: vec![Subject::User(self.author_id)],
        })
    }
}

impl NewVideo {
    /// Keys that are recorded as uploads and belong to the video from now on.
    fn own_keys(&self) -> Vec<&str> {
        let small = self.media.small.iter().map(|small| &*small.object_key);
        std::iter::once(&*self.media.object_key)
            .chain(small)
            .collect()
    }

    /// The key of the original, if viewers get another object.
    fn original(&self) -> Option<&str> {
        (self.upload_key != self.media.object_key).then_some(&*self.upload_key)
    }

    /// The key of the original, if it isn't kept.
    fn replaced(&self) -> Option<&str> {
        match self.outcome {
            Outcome::Ready {
                keep_original: false,
            } => self.original(),
            _ => None,
        }
    }

    /// Locks the uploads, forgets those that belong to the video from now on, and gives the primary's clock.
    async fn take_uploads(&self, transaction: &DatabaseTransaction) -> Result<i64, DalError> {
        let mut own = self.own_keys();
        let locked: Vec<&str> = own.iter().copied().chain(self.original()).collect();
        let now_ms = lock_uploads(transaction, &locked, self.author_id).await?;
        if self.replaced().is_none() {
            own.extend(self.original());
        }
        forget_uploads(transaction, &own).await?;
        Ok(now_ms)
    }

    async fn insert(
        &self,
        transaction: &DatabaseTransaction,
        created_ms: i64,
    ) -> Result<Video, DalError> {
        let state = match self.outcome {
            Outcome::Ready { .. } => State::Ready,
            Outcome::Job { .. } => State::Processing,
        };
        let kept = match self.outcome {
            Outcome::Ready {
                keep_original: true,
            } => self.original(),
            _ => None,
        };
        let media = self.media.clone();
        let (small_height, small_bit_rate) = media.small_numbers();
        let row = ActiveModel {
            author_id: Set(self.author_id),
            title: Set(self.title.clone()),
            object_key: Set(media.object_key.clone()),
            cover_key: Set(media.cover_key.clone()),
            size_bytes: Set(self.size_bytes),
            sha256: Set(self.sha256.clone()),
            duration_ms: Set(media.duration_ms),
            width: Set(media.width),
            height: Set(media.height),
            state: Set(state.number()),
            created_ms: Set(created_ms),
            original_key: Set(kept.map(ToOwned::to_owned)),
            has_small_cover: Set(media.has_small_cover),
            bit_rate: Set(media.bit_rate),
            small_height: Set(small_height),
            small_bit_rate: Set(small_bit_rate),
            ..Default::default()
        };
        let inserted = Entity::insert(row).exec(transaction).await?;
        Ok(Video {
            id: inserted.last_insert_id,
            author_id: self.author_id,
            title: self.title.clone(),
            object_key: media.object_key,
            cover_key: media.cover_key,
            has_small_cover: media.has_small_cover,
            published_ms: 0,
            created_ms,
            state: state.number(),
            progress: 0,
            reason: String::new(),
            duration_ms: media.duration_ms,
            width: media.width,
            height: media.height,
            bit_rate: media.bit_rate,
            small_height,
            small_bit_rate,
            favorite_count: 0,
            comment_count: 0,
        })
    }
}

impl Media {
    /// Height and bits a second of the small rendition; zeros: there is none.
    pub(crate) fn small_numbers(&self) -> (i32, i32) {
        let small = self.small.as_ref();
        small.map_or((0, 0), |small| (small.height, small.bit_rate))
    }
}

/// Locks the rows of these uploads and reads the primary's clock, in one trip.
pub(crate) async fn lock_uploads(
    transaction: &DatabaseTransaction,
    object_keys: &[&str],
    author_id: i64,
) -> Result<i64, DalError> {
    let marks = vec!["?"; object_keys.len()].join(", ");
    let sql = format!(
        "SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED) AS now_ms FROM uploads \
         WHERE object_key IN ({marks}) AND author_id = ? AND aborting = 0 FOR UPDATE"
    );
    let values = object_keys.iter().map(|key| (*key).into());
    let values = values.chain([author_id.into()]);
    let statement = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
    let rows = transaction.query_all_raw(statement).await?;
    match rows.first() {
        Some(row) if rows.len() == object_keys.len() => Ok(row.try_get("", "now_ms")?),
        _ => Err(DalError::NotFound),
    }
}

/// Forgets uploads: what they stored belongs to a video from now on.
pub(crate) async fn forget_uploads(
    transaction: &DatabaseTransaction,
    object_keys: &[&str],
) -> Result<(), DbErr> {
    let keys = object_keys.iter().map(|key| (*key).to_owned());
    upload::Entity::delete_many()
        .filter(upload::Column::ObjectKey.is_in(keys))
        .exec(transaction)
        .await?;
    Ok(())
}

/// From now on the recorded upload, which the video replaces, can only be removed.
async fn begin_removal(
    transaction: &DatabaseTransaction,
    object_key: &str,
    video_id: i64,
) -> Result<(), DbErr> {
    let statement = Statement::from_sql_and_values(
        DbBackend::MySql,
        "UPDATE uploads SET aborting = 1, video_id = ? WHERE object_key = ?",
        [video_id.into(), object_key.into()],
    );
    transaction.execute_raw(statement).await?;
    Ok(())
}

/// Gives the video `id` the publish time `clock_ms`, or the next millisecond that no other video has: the unique key decides.
pub(crate) async fn stamp(
    transaction: &DatabaseTransaction,
    id: i64,
    clock_ms: i64,
) -> Result<i64, DalError> {
    let end_ms = clock_ms.saturating_add(MAX_STAMPS);
    let (mut published_ms, mut tries) = (clock_ms, 0);
    while published_ms < end_ms {
        let statement = Statement::from_sql_and_values(
            DbBackend::MySql,
            "UPDATE videos SET published_ms = ? WHERE id = ?",
            [published_ms.into(), id.into()],
        );
        match transaction.execute_raw(statement).await {
            Err(e) if error::violates_key(&e, "videos_published_ms") => {}
            Err(e) => return Err(e.into()),
            Ok(_) => return Ok(published_ms),
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
