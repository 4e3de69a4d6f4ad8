//! Messages between two users: `messages`, one row each, and `conversations`, one row for two users.
//!
//! A message's time is its place in the chat. Whoever sends locks the conversation's row until the commit, and stamps a time that is later
//! than the last. So messages become visible in the order of their times, and whoever has seen a time has seen all before it. Replicas that
//! commit in another order than the primary are out of rotation (`rotation::commit_order`).

mod batch;
mod message;

use std::time::Duration;

use futures::future::try_join_all;
use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};

use crate::{
    DalError, Db, Reader,
    counters::Counters,
    db::WRITE_DEADLINE,
    group_commit::Queue,
    id_list::{Page, distinct},
};
pub use message::{Message, NewMessage};
use message::{Pair, Row};

/// Lists of ids are padded to one of these lengths. Every connection keeps each text prepared, which takes half a KiB of the server's memory
/// for each placeholder. The two lists of a text have the same length, and either may be missing: 12 texts.
const LENGTHS: [usize; 4] = [1, 8, 64, MAX_LENGTH];
/// More peers than this are asked for in several statements.
const MAX_LENGTH: usize = 512;

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
    /// deadline. [`DalError::NotFound`]: one of the two is deleted. [`DalError::Blocked`]: whom it is for has blocked who sends it.
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
/// statement for up to 512 peers; no ids, no statement.
pub async fn latest(
    db: &Db,
    user_id: i64,
    peers: &[i64],
    reader: &Reader,
) -> Result<Vec<Message>, DalError> {
    let read = latest_queries(user_id, peers)
        .into_iter()
        .map(|query| rows(db, query, reader));
    let rows = try_join_all(read).await?;
    Ok(rows.into_iter().flatten().map(Message::from).collect())
}

fn latest_queries(user_id: i64, peers: &[i64]) -> Vec<Statement> {
    distinct(peers)
        .chunks(MAX_LENGTH)
        .filter_map(|peers| latest_with(user_id, peers))
        .collect()
}

/// Two rows by primary key for each. `peers`: no more than the longest list has.
pub(crate) fn latest_with(user_id: i64, peers: &[i64]) -> Option<Statement> {
    let (lower, higher): (Vec<i64>, Vec<i64>) = peers
        .iter()
        .filter(|peer| **peer != user_id)
        .partition(|peer| **peer < user_id);
    let longest = lower.len().max(higher.len());
    let length = LENGTHS.into_iter().find(|length| *length >= longest);
    let length = length.unwrap_or(longest);
    let mut values: Vec<Value> = Vec::new();
    let mut parts = Vec::new();
    for (own, other, mut ids) in [("high_id", "low_id", lower), ("low_id", "high_id", higher)] {
        let Some(last) = ids.last().copied() else {
            continue;
        };
        ids.resize(length, last);
        let marks = vec!["?"; length].join(", ");
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

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};

    use super::*;

    const USER: i64 = 100_000;

    /// So many with lower ids, and so many with higher ones.
    fn peers(lower: i64, higher: i64) -> Vec<i64> {
        let all = USER - lower..=USER + higher;
        all.filter(|id| *id != USER).collect()
    }

    fn values(query: &Statement) -> Vec<i64> {
        let values = query.values.iter().flat_map(|values| &values.0);
        values.map(|value| value.clone().unwrap::<i64>()).collect()
    }

    #[test]
    fn the_server_keeps_few_statements_and_none_is_large() {
        let lengths = [0, 1, 2, 8, 9, 64, 65, 300, 512, 513, 5000];
        let mut texts = HashSet::new();
        for lower in lengths {
            for higher in lengths {
                for query in latest_queries(USER, &peers(lower, higher)) {
                    let values = values(&query).len();
                    assert!(values <= 2 * (MAX_LENGTH + 1), "{values}");
                    assert_eq!(query.sql.matches('?').count(), values);
                    texts.insert(query.sql);
                }
            }
        }
        assert_eq!(texts.len(), 12);
    }

    #[test]
    fn every_peer_is_asked_for_and_those_of_a_page_with_one_statement() {
        for (lower, higher, statements) in [(0, 0, 0), (1, 300, 1), (256, 256, 1), (700, 900, 4)] {
            let peers = peers(lower, higher);
            let queries = latest_queries(USER, &peers);
            assert_eq!(queries.len(), statements, "{lower} {higher}");
            let mut asked: BTreeSet<i64> = queries.iter().flat_map(values).collect();
            asked.remove(&USER);
            assert_eq!(asked, peers.into_iter().collect());
        }
    }
}
