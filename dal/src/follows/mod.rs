//! Who follows whom: `follows`, one row a follow.
//!
//! Writing goes through [`Follows`], which lets concurrent follows share statements and a commit. Reading is a function each. A follow is
//! one row in both lists, and no row is a user's own: who follows somebody famous waits for nobody.

mod batch;
mod sweep;

use std::time::Duration;

use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, QueryFilter, QueryResult, QuerySelect,
    Select, Statement,
};

use crate::{
    DalError, Db, Reader,
    counters::Counters,
    db::WRITE_DEADLINE,
    entity::follow::{Column, Entity},
    group_commit::Queue,
    id_list::{self, Page},
};

pub use sweep::{set_tombstone, sweep};

/// The latest follows of a user among which friends are looked for.
const MAX_LOOKED_AT: u64 = 10_000;

/// Writes follows, together with whoever follows at the same moment. Cheap to clone; one a process.
#[derive(Clone)]
pub struct Follows(Queue<FollowOp>);

impl Follows {
    /// Starts writing, in a tokio runtime; ends when the last clone is gone and nothing waits any more.
    pub fn start(db: Db, counters: Counters) -> Self {
        Self(Queue::start(db, counters))
    }

    /// Makes a follow be there or not, and tells whether that changed anything. Idempotent: a follow that is there keeps its place in the
    /// lists. When this returns, the change is committed, counted, and in Redis. A call that is dropped may still be carried out, within
    /// its deadline.
    ///
    /// [`DalError::Unavailable`] and [`DalError::TimedOut`]: it may or may not have happened, except that too many ops waiting is
    /// `Unavailable` too; but it doesn't happen any more, so that it can't undo what is done later. Repeating is harmless; it then tells
    /// `false` if it had happened. [`DalError::NotFound`]: one of the two is deleted; [`DalError::Blocked`]: the other has blocked the user.
    /// Nothing is stored then.
    pub async fn set(&self, op: FollowOp) -> Result<bool, DalError> {
        self.set_within(op, WRITE_DEADLINE).await
    }

    /// [`set`](Self::set) for somebody who waits no longer than `limit`.
    pub async fn set_within(&self, op: FollowOp, limit: Duration) -> Result<bool, DalError> {
        self.0.commit(op, limit).await
    }
}

/// A user follows another, or doesn't any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FollowOp {
    /// Who.
    pub user_id: i64,
    /// Whom; the caller knows that they exist.
    pub followed_id: i64,
    /// Whether they shall be followed from now on.
    pub followed: bool,
}

impl FollowOp {
    /// What there is at most one row of.
    fn pair(self) -> (i64, i64) {
        (self.user_id, self.followed_id)
    }
}

/// Whom a user follows: at most `limit`, the latest follow first; those before the cursor `before` (absent: from the latest).
pub async fn list_follows(
    db: &Db,
    user_id: i64,
    before: Option<i64>,
    limit: u64,
    reader: &Reader,
) -> Result<Page<i64>, DalError> {
    let follows = follows_before(user_id, before.unwrap_or(i64::MAX), limit.saturating_add(1));
    page(db, follows, limit, reader).await
}

/// Who follows a user; otherwise as [`list_follows`].
pub async fn list_followers(
    db: &Db,
    user_id: i64,
    before: Option<i64>,
    limit: u64,
    reader: &Reader,
) -> Result<Page<i64>, DalError> {
    let followers = followers_before(user_id, before.unwrap_or(i64::MAX), limit.saturating_add(1));
    page(db, followers, limit, reader).await
}

/// `query` selects users and cursors.
async fn page(
    db: &Db,
    query: Statement,
    limit: u64,
    reader: &Reader,
) -> Result<Page<i64>, DalError> {
    let rows = rows(db, query, reader).await?;
    let Page {
        entries,
        next_before,
    } = Page::cut(rows, limit, |(_, cursor)| *cursor);
    Ok(Page {
        entries: entries.into_iter().map(|(user_id, _)| user_id).collect(),
        next_before,
    })
}

async fn rows(db: &Db, query: Statement, reader: &Reader) -> Result<Vec<(i64, i64)>, DalError> {
    let rows = db.read(reader).query_all_raw(query).await?;
    let pair = |row: &QueryResult| Ok((row.try_get("", "listed_id")?, row.try_get("", "id")?));
    rows.iter().map(pair).collect()
}

pub(crate) fn follows_before(user_id: i64, before: i64, limit: u64) -> Statement {
    const SQL: &str = "SELECT followed_id AS listed_id, id FROM follows FORCE INDEX (follows_list) \
         WHERE user_id = ? AND id < ? ORDER BY id DESC LIMIT ?";
    before_cursor(SQL, user_id, before, limit)
}

pub(crate) fn followers_before(user_id: i64, before: i64, limit: u64) -> Statement {
    const SQL: &str = "SELECT user_id AS listed_id, id FROM follows FORCE INDEX (follows_followers) \
         WHERE followed_id = ? AND id < ? ORDER BY id DESC LIMIT ?";
    before_cursor(SQL, user_id, before, limit)
}

/// The index is forced: of somebody whose followers are a large part of the table, the optimizer would read all that are later than the cursor.
fn before_cursor(sql: &str, user_id: i64, before: i64, limit: u64) -> Statement {
    let values = [user_id.into(), before.into(), limit.into()];
    Statement::from_sql_and_values(DbBackend::MySql, sql, values)
}

/// Whom a user follows, the latest follow first; at most `limit`.
pub async fn followed_ids(
    db: &Db,
    user_id: i64,
    limit: u64,
    reader: &Reader,
) -> Result<Vec<i64>, DalError> {
    let rows = rows(db, follows_before(user_id, i64::MAX, limit), reader).await?;
    Ok(rows.into_iter().map(|(user_id, _)| user_id).collect())
}

/// Which of these users the user follows, in no particular order. One statement; no ids, no statement.
pub async fn followed_among(
    db: &Db,
    user_id: i64,
    user_ids: &[i64],
    reader: &Reader,
) -> Result<Vec<i64>, DalError> {
    if user_ids.is_empty() {
        return Ok(Vec::new());
    }
    Ok(followed_of(user_id, id_list::padded(user_ids))
        .into_tuple()
        .all(&db.read(reader))
        .await?)
}

pub(crate) fn followed_of(user_id: i64, user_ids: Vec<i64>) -> Select<Entity> {
    Entity::find()
        .select_only()
        .column(Column::FollowedId)
        .filter(Column::UserId.eq(user_id))
        .filter(Column::FollowedId.is_in(user_ids))
}

/// Somebody whom a user follows and who follows back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Friend {
    /// Who.
    pub user_id: i64,
    /// The cursor of the user's follow in the list of their follows.
    pub cursor: i64,
}

/// Those among the user's latest 10,000 follows who follow back, the latest follow of the user first; at most `limit`. It costs what the
/// user follows, however many follow the user.
pub async fn list_friends(
    db: &Db,
    user_id: i64,
    limit: u64,
    reader: &Reader,
) -> Result<Vec<Friend>, DalError> {
    let rows = db
        .read(reader)
        .query_all_raw(friends_of(user_id, limit))
        .await?;
    rows.iter()
        .map(|row| {
            Ok(Friend {
                user_id: row.try_get("", "followed_id")?,
                cursor: row.try_get("", "id")?,
            })
        })
        .collect()
}

pub(crate) fn friends_of(user_id: i64, limit: u64) -> Statement {
    // STRAIGHT_JOIN and the forced indexes: from the user's follows to the one row that would be the way back, never from the followers.
    let sql = "SELECT mine.followed_id, mine.id FROM \
         (SELECT followed_id, id FROM follows FORCE INDEX (follows_list) WHERE user_id = ? ORDER BY id DESC LIMIT ?) AS mine \
         STRAIGHT_JOIN follows AS back FORCE INDEX (follows_pair) \
         ON back.user_id = mine.followed_id AND back.followed_id = ? \
         ORDER BY mine.id DESC LIMIT ?";
    let values = [
        user_id.into(),
        MAX_LOOKED_AT.into(),
        user_id.into(),
        limit.into(),
    ];
    Statement::from_sql_and_values(DbBackend::MySql, sql, values)
}
