//! Likes and unlikes of different pairs of user and video, as one transaction of a few statements.

use std::{collections::HashSet, fmt::Write as _};

use marks::Subject;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, Statement, Value};

use super::FavoriteOp;
use crate::{
    DalError,
    counts::Counter,
    db::Transaction,
    ledger::{Counted, Deltas},
    pool::execute_text,
};

/// At most one op a pair. Rows are taken in the order of their key, so that batches at once rarely lock crosswise.
pub(super) struct Batch {
    ops: Vec<Placed>,
}

/// An op and its place in the order of arrival.
struct Placed {
    place: usize,
    op: FavoriteOp,
}

impl Batch {
    pub(super) fn new(ops: impl IntoIterator<Item = FavoriteOp>) -> Self {
        let placed = ops.into_iter().enumerate();
        let mut ops: Vec<_> = placed.map(|(place, op)| Placed { place, op }).collect();
        ops.sort_unstable_by_key(|placed| placed.op.pair());
        Self { ops }
    }

    fn with(&self, liked: bool) -> Vec<&Placed> {
        let wanted = |placed: &&Placed| placed.op.liked == liked;
        self.ops.iter().filter(wanted).collect()
    }
}

impl Transaction for Batch {
    /// In the order of arrival: whether a row changed.
    type Output = Counted<Vec<bool>>;

    async fn run(&self, transaction: &DatabaseTransaction) -> Result<Self::Output, DalError> {
        let mut output = vec![false; self.ops.len()];
        let mut deltas = Deltas::default();
        let mut changed = |placed: &Placed, author_id: i64, delta: i64| {
            if let Some(outcome) = output.get_mut(placed.place) {
                *outcome = true;
            }
            deltas.add(Counter::VideoFavorites(placed.op.video_id), delta);
            deltas.add(Counter::UserFavorites(placed.op.user_id), delta);
            deltas.add(Counter::UserFavorited(author_id), delta);
        };
        for (placed, author_id) in delete(transaction, &self.with(false)).await? {
            changed(placed, author_id, -1);
        }
        for placed in insert(transaction, &self.with(true)).await? {
            changed(placed, placed.op.author_id, 1);
        }
        // Also who changed nothing: what they find done may not have been marked.
        let mut marked: Vec<Subject> = self
            .ops
            .iter()
            .map(|placed| Subject::User(placed.op.user_id))
            .collect();
        // The ops are in the order of their users.
        marked.dedup();
        Ok(Counted {
            output,
            deltas,
            marked,
        })
    }
}

/// Deletes the rows that are there, and returns whose they were with the author that each was counted for.
async fn delete<'p>(
    transaction: &DatabaseTransaction,
    unlikes: &[&'p Placed],
) -> Result<Vec<(&'p Placed, i64)>, DbErr> {
    if unlikes.is_empty() {
        return Ok(Vec::new());
    }
    // Who is locked now is what the delete takes.
    let (condition, values) = pairs(unlikes);
    let sql = format!(
        "SELECT user_id, video_id, author_id FROM favorites FORCE INDEX (PRIMARY) WHERE {condition} FOR UPDATE"
    );
    let lock = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
    let mut deleted = Vec::new();
    for row in transaction.query_all_raw(lock).await? {
        let pair = (row.try_get("", "user_id")?, row.try_get("", "video_id")?);
        if let Ok(at) = unlikes.binary_search_by_key(&pair, |placed| placed.op.pair())
            && let Some(placed) = unlikes.get(at)
        {
            deleted.push((*placed, row.try_get("", "author_id")?));
        }
    }
    if !deleted.is_empty() {
        let rows: Vec<_> = deleted.iter().map(|(placed, _)| placed.op).collect();
        let sql = format!(
            "DELETE favorites FROM favorites FORCE INDEX (PRIMARY) WHERE {}",
            written_out(&rows)
        );
        same(execute_text(transaction, &sql).await?, deleted.len())?;
    }
    Ok(deleted)
}

/// Inserts the rows that aren't there, and returns them.
async fn insert<'p>(
    transaction: &DatabaseTransaction,
    likes: &[&'p Placed],
) -> Result<Vec<&'p Placed>, DbErr> {
    if likes.is_empty() {
        return Ok(Vec::new());
    }
    let batch: i64 = rand::random();
    let mut sql = String::from(
        "INSERT IGNORE INTO favorites (user_id, video_id, author_id, liked_us, batch) VALUES ",
    );
    for (row, Placed { place, op }) in likes.iter().enumerate() {
        let separator = if row == 0 { "" } else { ", " };
        let (user_id, video_id) = op.pair();
        // Whole numbers: nothing to escape. Writing to a string can't fail.
        let _ = write!(
            sql,
            "{separator}({user_id}, {video_id}, {}, \
             CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED) + {place}, {batch})",
            op.author_id
        );
    }
    let inserted = execute_text(transaction, &sql).await?;
    if inserted == u64::try_from(likes.len()).unwrap_or(u64::MAX) {
        return Ok(likes.to_vec());
    }
    let mine = read_back(transaction, likes, batch).await?;
    same(inserted, mine.len())?;
    Ok(mine)
}

/// Some rows were there before: which are of `batch`? In the same transaction, whose locks keep all of them as they are. IGNORE
/// also passes over a row for other reasons: then it isn't there, and it isn't a like.
async fn read_back<'p>(
    transaction: &DatabaseTransaction,
    likes: &[&'p Placed],
    batch: i64,
) -> Result<Vec<&'p Placed>, DbErr> {
    let (condition, values) = pairs(likes);
    let sql = format!(
        "SELECT user_id, video_id, batch FROM favorites FORCE INDEX (PRIMARY) WHERE {condition}"
    );
    let statement = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
    let (mut mine, mut there) = (HashSet::new(), 0);
    for row in transaction.query_all_raw(statement).await? {
        there += 1;
        if row.try_get::<i64>("", "batch")? == batch {
            mine.insert((row.try_get("", "user_id")?, row.try_get("", "video_id")?));
        }
    }
    same(there, likes.len())?;
    let is_mine = |placed: &&&Placed| mine.contains(&placed.op.pair());
    Ok(likes.iter().filter(is_mine).copied().collect())
}

/// A condition for a row to be of one of these pairs, and its values: filled up to a power of two, so that there are few texts
/// to keep prepared.
fn pairs(ops: &[&Placed]) -> (String, Vec<Value>) {
    let length = ops.len().next_power_of_two();
    let condition = vec!["(user_id = ? AND video_id = ?)"; length].join(" OR ");
    let values = (0..length)
        .filter_map(|at| ops.get(at).or(ops.last()))
        .flat_map(|placed| [placed.op.user_id.into(), placed.op.video_id.into()])
        .collect();
    (format!("({condition})"), values)
}

/// The same with the numbers in it.
fn written_out(ops: &[FavoriteOp]) -> String {
    let pairs: Vec<_> = ops
        .iter()
        .map(|op| format!("(user_id = {} AND video_id = {})", op.user_id, op.video_id))
        .collect();
    pairs.join(" OR ")
}

/// What can't be without a bug or a table that refuses rows; the transaction ends without a commit.
fn same(rows: u64, expected: usize) -> Result<(), DbErr> {
    match usize::try_from(rows) {
        Ok(rows) if rows == expected => Ok(()),
        _ => Err(DbErr::Custom(format!(
            "{rows} rows of likes where {expected} were expected"
        ))),
    }
}
