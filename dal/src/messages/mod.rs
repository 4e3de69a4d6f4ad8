//! Messages between two users: `messages`, one row each, and `conversations`, one row for two users.
//!
//! A message's time is its place in the chat. Whoever sends locks the conversation's row until the commit, and stamps a time that is later
//! than the last. So messages become visible in the order of their times, and whoever has seen a time has seen all before it. Replicas that
//! commit in another order than the primary are out of rotation (`rotation::commit_order`).

mod batch;
mod message;

use std::time::Duration;

use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};

use crate::{
    DalError, Db, Reader,
    counters::Counters,
    db::WRITE_DEADLINE,
    group_commit::Queue,
    id_list::{Page, padded},
};
pub use message::{Message, NewMessage};
use message::{Pair, Row};

/// Sends messages, together with whoever sends at the same moment. Cheap to clone; one a process.
#[derive(Clone)]
pub struct Messages(Queue<NewMessage>);

impl Messages {
    /// Starts writing, in a tokio runtime; ends when the last clone is gone and nothing waits any more.
    pub fn start(db: Db, counters: Counters) -> Self {
        Self(Queue::start(db, counters))
    }

    /// Sends a message. When this returns, it is committed, and both see it. Not idempotent, but with a key: then a repeat gives the first
    /// message, and [`DalError::KeyReused`] when the key came with another. A call that is dropped may still be carried out, within its
    /// deadline.
    ///
    /// [`DalError::Unavailable`] and [`DalError::TimedOut`]: it may or may not have happened, except that too many that wait is
    /// `Unavailable` too; but it doesn't happen any more.
    pub async fn send(&self, message: NewMessage) -> Result<Message, DalError> {
        self.send_within(message, WRITE_DEADLINE).await
    }

    /// [`send`](Self::send) for somebody who waits no longer than `limit`.
    pub async fn send_within(
        &self,
        message: NewMessage,
        limit: Duration,
    ) -> Result<Message, DalError> {
        self.0.commit(message, limit).await
    }
}

/// The messages between two users later than `after_ms`, the oldest `limit` of them, oldest first; before `before_ms`, if that is given.
/// Whether later ones follow.
pub async fn later(
    db: &Db,
    users: (i64, i64),
    after_ms: i64,
    before_ms: Option<i64>,
    limit: u64,
    reader: &Reader,
) -> Result<(Vec<Message>, bool), DalError> {
    let span = (after_ms, before_ms.unwrap_or(i64::MAX));
    let query = between(users, span, Order::OldestFirst, limit.saturating_add(1));
    let rows = rows(db, query, reader).await?;
    let page = Page::cut(rows, limit, |row| row.created_ms);
    let has_more = page.next_before.is_some();
    Ok((
        page.entries.into_iter().map(Message::from).collect(),
        has_more,
    ))
}

/// The newest `limit` messages between two users before `before_ms` (absent: of all), oldest first. The cursor leads to earlier ones.
pub async fn newest(
    db: &Db,
    users: (i64, i64),
    before_ms: Option<i64>,
    limit: u64,
    reader: &Reader,
) -> Result<Page<Message>, DalError> {
    let span = (-1, before_ms.unwrap_or(i64::MAX));
    let query = between(users, span, Order::NewestFirst, limit.saturating_add(1));
    let rows = rows(db, query, reader).await?;
    let Page {
        entries,
        next_before,
    } = Page::cut(rows, limit, |row| row.created_ms);
    Ok(Page {
        entries: entries.into_iter().rev().map(Message::from).collect(),
        next_before,
    })
}

/// Of the messages between two users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    OldestFirst,
    NewestFirst,
}

/// Those between two times, both excluded. The index is forced: of a chat that is a large part of the table, the optimizer would read all
/// up to the first of them.
pub(crate) fn between(
    users: (i64, i64),
    (after_ms, before_ms): (i64, i64),
    order: Order,
    limit: u64,
) -> Statement {
    let Pair { low_id, high_id } = Pair::of(users);
    let direction = match order {
        Order::OldestFirst => "ASC",
        Order::NewestFirst => "DESC",
    };
    let sql = format!(
        "SELECT id, low_id, high_id, created_ms, from_id, content FROM messages FORCE INDEX (PRIMARY) \
         WHERE low_id = ? AND high_id = ? AND created_ms > ? AND created_ms < ? ORDER BY created_ms {direction} LIMIT ?"
    );
    let values = [
        low_id.into(),
        high_id.into(),
        after_ms.into(),
        before_ms.into(),
        limit.into(),
    ];
    Statement::from_sql_and_values(DbBackend::MySql, sql, values)
}

async fn rows(db: &Db, query: Statement, reader: &Reader) -> Result<Vec<Row>, DalError> {
    let rows = db.read(reader).query_all_raw(query).await?;
    rows.iter().map(|row| Ok(Row::of(row)?)).collect()
}

/// The latest message that a user has exchanged with each of `peers`, in no particular order; nobody without messages is in it. One
/// statement; no ids, no statement.
pub async fn latest(
    db: &Db,
    user_id: i64,
    peers: &[i64],
    reader: &Reader,
) -> Result<Vec<Message>, DalError> {
    let Some(query) = latest_with(user_id, peers) else {
        return Ok(Vec::new());
    };
    let rows = rows(db, query, reader).await?;
    Ok(rows.into_iter().map(Message::from).collect())
}

/// Two rows by primary key for each.
pub(crate) fn latest_with(user_id: i64, peers: &[i64]) -> Option<Statement> {
    let (lower, higher): (Vec<i64>, Vec<i64>) = peers
        .iter()
        .filter(|peer| **peer != user_id)
        .partition(|peer| **peer < user_id);
    let mut values: Vec<Value> = Vec::new();
    let mut parts = Vec::new();
    for (own, other, ids) in [("high_id", "low_id", lower), ("low_id", "high_id", higher)] {
        if ids.is_empty() {
            continue;
        }
        let ids = padded(&ids);
        let marks = vec!["?"; ids.len()].join(", ");
        values.push(user_id.into());
        values.extend(ids.into_iter().map(Value::from));
        parts.push(format!(
            "SELECT messages.id, messages.low_id, messages.high_id, messages.created_ms, messages.from_id, messages.content \
             FROM conversations FORCE INDEX (PRIMARY) STRAIGHT_JOIN messages FORCE INDEX (PRIMARY) \
             ON messages.low_id = conversations.low_id AND messages.high_id = conversations.high_id \
             AND messages.created_ms = conversations.last_ms \
             WHERE conversations.{own} = ? AND conversations.{other} IN ({marks})"
        ));
    }
    let sql = parts.join(" UNION ALL ");
    (!parts.is_empty()).then(|| Statement::from_sql_and_values(DbBackend::MySql, sql, values))
}
