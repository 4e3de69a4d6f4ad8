//! What is written and read of comments: the values that go in and come out.

use sea_orm::DerivePartialModel;

use crate::{entity::comment::Entity, idempotency::Key};

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
