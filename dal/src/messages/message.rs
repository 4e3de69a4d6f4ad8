//! What is written and read of messages: the values that go in and come out.

use sea_orm::{DbErr, QueryResult};

use crate::idempotency::{First, Key};

/// A message as it is shown. Never changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// From 1 up.
    pub id: i64,
    /// Who sent it.
    pub from_id: i64,
    /// To whom.
    pub to_id: i64,
    /// 1 to 500 characters.
    pub content: String,
    /// UTC, by the primary's clock, or later: greater than that of every earlier message between the two.
    pub created_ms: i64,
}

/// A message to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// Who sends it.
    pub from_id: i64,
    /// To whom, somebody else; the caller knows that they exist, or did a moment ago.
    pub to_id: i64,
    /// 1 to 500 characters.
    pub content: String,
    /// Makes a repeat harmless; made of the other fields.
    pub key: Option<Key>,
}

impl NewMessage {
    pub(super) fn pair(&self) -> Pair {
        Pair::of((self.from_id, self.to_id))
    }

    pub(super) fn made(&self, made: First) -> Message {
        Message {
            id: made.id,
            from_id: self.from_id,
            to_id: self.to_id,
            content: self.content.clone(),
            created_ms: made.created_ms,
        }
    }
}

/// Two users, whichever wrote first: the key of their conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Pair {
    pub(crate) low_id: i64,
    pub(crate) high_id: i64,
}

impl Pair {
    pub(crate) fn of((one, other): (i64, i64)) -> Self {
        Self {
            low_id: one.min(other),
            high_id: one.max(other),
        }
    }
}

/// As the table has it.
pub(crate) struct Row {
    id: i64,
    low_id: i64,
    high_id: i64,
    pub(super) created_ms: i64,
    from_id: i64,
    content: String,
}

impl Row {
    pub(super) fn of(row: &QueryResult) -> Result<Self, DbErr> {
        Ok(Self {
            id: row.try_get("", "id")?,
            low_id: row.try_get("", "low_id")?,
            high_id: row.try_get("", "high_id")?,
            created_ms: row.try_get("", "created_ms")?,
            from_id: row.try_get("", "from_id")?,
            content: row.try_get("", "content")?,
        })
    }
}

impl From<Row> for Message {
    fn from(row: Row) -> Self {
        let to_id = match row.from_id == row.low_id {
            true => row.high_id,
            false => row.low_id,
        };
        Self {
            id: row.id,
            from_id: row.from_id,
            to_id,
            content: row.content,
            created_ms: row.created_ms,
        }
    }
}
