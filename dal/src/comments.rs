//! Comments under videos: `comments`, one row each. Their ids are in the order of their birth, so the list is a range of ids.

use marks::Subject;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr,
    DerivePartialModel, EntityTrait, QueryFilter, QueryOrder, QuerySelect, Select, Statement,
};

use crate::{
    DalError, Db, Reader,
    counters::Counters,
    counts::Counter,
    db::Transaction,
    entity::comment::{ActiveModel, Column, Entity},
    id_list::Page,
    idempotency::{First, Key},
    ledger::{self, Counted, Deltas},
};

/// A comment as it is shown. Never changes.
#[derive(Debug, Clone, PartialEq, Eq, DerivePartialModel)]
#[sea_orm(entity = "Entity")]
pub struct Comment {
    /// From 1 up; a later comment has a greater one.
    pub id: i64,
    /// Under which video.
    pub video_id: i64,
    /// Who wrote it.
    pub user_id: i64,
    /// 1 to 500 characters.
    pub content: String,
    /// UTC, by the primary's clock.
    pub created_ms: i64,
}

/// A comment to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewComment {
    /// Under which video; the caller knows that it exists.
    pub video_id: i64,
    /// Who writes it.
    pub user_id: i64,
    /// 1 to 500 characters.
    pub content: String,
    /// Makes a repeat harmless; made of the other fields.
    pub key: Option<Key>,
}

/// A comment to delete, and who asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeleteComment {
    /// Under which video it should be.
    pub video_id: i64,
    /// Which one.
    pub comment_id: i64,
    /// Who asks.
    pub user_id: i64,
    /// Who published the video: may delete any comment under it.
    pub video_author_id: i64,
}

/// What became of a [`DeleteComment`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deletion {
    /// It is gone, and no longer counted.
    Deleted,
    /// There is no such comment under that video.
    NoSuchComment,
    /// It is neither this user's nor under a video of theirs; nothing changed.
    NotYours,
}

/// Adds a comment, stamped by the primary's clock. When this returns, it is committed, counted, and in Redis. Not idempotent, but with
/// a key: then a repeat gives the first comment, and [`DalError::KeyReused`] when the key came with another.
pub async fn add(db: &Db, counters: &Counters, comment: &NewComment) -> Result<Comment, DalError> {
    match (
        ledger::commit(db, counters, comment.clone()).await,
        &comment.key,
    ) {
        (Err(DalError::Duplicate), Some(key)) => {
            let first = key.first(db, counters, comment.marked()).await?;
            Ok(comment.made(first.ok_or(DalError::Duplicate)?))
        }
        (result, _) => result,
    }
}

impl NewComment {
    fn made(&self, made: First) -> Comment {
        Comment {
            id: made.id,
            video_id: self.video_id,
            user_id: self.user_id,
            content: self.content.clone(),
            created_ms: made.created_ms,
        }
    }

    fn marked(&self) -> Vec<Subject> {
        vec![Subject::Video(self.video_id), Subject::User(self.user_id)]
    }
}

impl Transaction for NewComment {
    type Output = Counted<Comment>;

    async fn run(&self, transaction: &DatabaseTransaction) -> Result<Self::Output, DalError> {
        let created_ms = clock_ms(transaction).await?;
        let row = ActiveModel {
            video_id: Set(self.video_id),
            user_id: Set(self.user_id),
            content: Set(self.content.clone()),
            created_ms: Set(created_ms),
            ..Default::default()
        };
        let made = First {
            id: Entity::insert(row).exec(transaction).await?.last_insert_id,
            created_ms,
        };
        if let Some(key) = &self.key {
            key.record(transaction, made).await?;
        }
        Ok(Counted {
            output: self.made(made),
            deltas: Deltas::of(Counter::VideoComments(self.video_id), 1),
            marked: self.marked(),
            clock: None,
        })
    }
}

async fn clock_ms(transaction: &DatabaseTransaction) -> Result<i64, DbErr> {
    let sql = "SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED) AS now_ms";
    let row = transaction
        .query_one_raw(Statement::from_string(DbBackend::MySql, sql))
        .await?;
    row.ok_or_else(|| DbErr::RecordNotFound("the clock".to_owned()))?
        .try_get("", "now_ms")
}

/// Deletes a comment if it is there and the user may; decided on the row, locked.
pub async fn delete(
    db: &Db,
    counters: &Counters,
    comment: &DeleteComment,
) -> Result<Deletion, DalError> {
    ledger::commit(db, counters, *comment).await
}

impl Transaction for DeleteComment {
    type Output = Counted<Deletion>;

    async fn run(&self, transaction: &DatabaseTransaction) -> Result<Self::Output, DalError> {
        let owner: Option<i64> = Entity::find_by_id(self.comment_id)
            .select_only()
            .column(Column::UserId)
            .filter(Column::VideoId.eq(self.video_id))
            .lock_exclusive()
            .into_tuple()
            .one(transaction)
            .await?;
        let (output, deltas) = match owner {
            None => (Deletion::NoSuchComment, Deltas::default()),
            Some(owner) if ![owner, self.video_author_id].contains(&self.user_id) => {
                (Deletion::NotYours, Deltas::default())
            }
            Some(_) => {
                Entity::delete_by_id(self.comment_id)
                    .exec(transaction)
                    .await?;
                let counter = Counter::VideoComments(self.video_id);
                (Deletion::Deleted, Deltas::of(counter, -1))
            }
        };
        Ok(Counted {
            output,
            deltas,
            // Also when it was gone already: its deletion may not have been marked.
            marked: vec![Subject::Video(self.video_id), Subject::User(self.user_id)],
            clock: None,
        })
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
