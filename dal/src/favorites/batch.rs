//! Likes and unlikes of different pairs of user and video, as one transaction of a few statements.

use std::{collections::HashMap, fmt::Write as _};

use marks::Subject;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, Statement, Value};

use super::FavoriteOp;
use crate::{
    DalError,
    counts::Counter,
    db::Transaction,
    ledger::{Clock, Counted, Deltas, NOW_US},
    pool::execute_text,
};

/// How often likes are stamped anew whose moment another like of the user has.
const MAX_STAMPS: usize = 3;

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
        let mut clock = None;
        for (placed, author_id) in delete(transaction, &self.with(false), &mut clock).await? {
            changed(placed, author_id, -1);
        }
        for placed in insert(transaction, &self.with(true), &mut clock).await? {
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
            clock,
        })
    }
}

/// Deletes the rows that are there, and returns whose they were with the author that each was counted for. Tells the primary's clock.
async fn delete<'p>(
    transaction: &DatabaseTransaction,
    unlikes: &[&'p Placed],
    clock: &mut Option<Clock>,
) -> Result<Vec<(&'p Placed, i64)>, DbErr> {
    if unlikes.is_empty() {
        return Ok(Vec::new());
    }
    // Who is locked now is what the delete takes.
    let (condition, values) = pairs(unlikes);
    let sql = format!(
        "SELECT user_id, video_id, author_id, {NOW_US} AS now_us FROM favorites FORCE INDEX (PRIMARY) \
         WHERE {condition} FOR UPDATE"
    );
    let lock = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
    let mut deleted = Vec::new();
    let rows = transaction.query_all_raw(lock).await?;
    if let Some(row) = rows.first() {
        *clock = Some(Clock::says(row.try_get("", "now_us")?));
    }
    for row in rows {
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

/// Inserts the rows that aren't there, and returns them. Tells the primary's clock.
///
/// No two likes of a user have one moment: the unique key decides, and IGNORE passes over such a row as over one that is there. So
/// what isn't there afterwards is stamped once more. IGNORE also passes over a row for other reasons: such a one never comes.
async fn insert<'p>(
    transaction: &DatabaseTransaction,
    likes: &[&'p Placed],
    clock: &mut Option<Clock>,
) -> Result<Vec<&'p Placed>, DbErr> {
    let (mut mine, mut missing) = (Vec::new(), likes.to_vec());
    for stamp in 0..MAX_STAMPS {
        if missing.is_empty() {
            return Ok(mine);
        }
        let batch: i64 = rand::random();
        // Also where the clock stands still.
        let later = stamp.saturating_mul(likes.len());
        let inserted = insert_stamped(transaction, &missing, batch, later, clock).await?;
        if usize::try_from(inserted) == Ok(missing.len()) {
            mine.append(&mut missing);
            return Ok(mine);
        }
        let there = read_back(transaction, &missing).await?;
        let is_mine = |placed: &&Placed| there.get(&placed.op.pair()) == Some(&batch);
        let new: Vec<&Placed> = missing.iter().copied().filter(is_mine).collect();
        same(inserted, new.len())?;
        mine.extend(new);
        missing.retain(|placed| !there.contains_key(&placed.op.pair()));
    }
    same(0, missing.len())?;
    Ok(mine)
}

/// One statement; the number of rows that it inserted.
async fn insert_stamped(
    transaction: &DatabaseTransaction,
    likes: &[&Placed],
    batch: i64,
    later: usize,
    clock: &mut Option<Clock>,
) -> Result<u64, DbErr> {
    let mut sql = String::from(
        "INSERT IGNORE INTO favorites (user_id, video_id, author_id, liked_us, batch) VALUES ",
    );
    for (row, Placed { place, op }) in likes.iter().enumerate() {
        let separator = if row == 0 { "" } else { ", " };
        let (user_id, video_id) = op.pair();
        // The answer brings along what the function was told last: the clock.
        let now_us = match row {
            0 => format!("LAST_INSERT_ID({NOW_US})"),
            _ => NOW_US.to_owned(),
        };
        // Whole numbers: nothing to escape. Writing to a string can't fail.
        let _ = write!(
            sql,
            "{separator}({user_id}, {video_id}, {}, {now_us} + {place} + {later}, {batch})",
            op.author_id
        );
    }
    telemetry::cost::add_sql(1);
    let result = transaction.execute_unprepared(&sql).await?;
    if let Ok(us @ 1..) = i64::try_from(result.last_insert_id()) {
        *clock = Some(Clock::says(us));
    }
    Ok(result.rows_affected())
}

/// Which of these rows are there, and of which batch. In the same transaction, whose locks keep them as they are.
async fn read_back(
    transaction: &DatabaseTransaction,
    likes: &[&Placed],
) -> Result<HashMap<(i64, i64), i64>, DbErr> {
    let (condition, values) = pairs(likes);
    let sql = format!(
        "SELECT user_id, video_id, batch FROM favorites FORCE INDEX (PRIMARY) WHERE {condition}"
    );
    let statement = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
    let rows = transaction.query_all_raw(statement).await?;
    rows.iter()
        .map(|row| {
            let pair = (row.try_get("", "user_id")?, row.try_get("", "video_id")?);
            Ok((pair, row.try_get("", "batch")?))
        })
        .collect()
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use sea_orm::TransactionTrait as _;

    use super::*;

    #[tokio::test]
    async fn no_two_likes_of_a_user_have_one_moment_also_where_the_clock_stands_still() {
        let database = testkit::Database::create().await;
        let mysql = crate::plans::mysql(&database);
        crate::migrate(&mysql).await.unwrap();
        let pool =
            crate::pool::open_replica(&mysql.primary_url, 1, Duration::from_secs(5)).unwrap();
        let transaction = pool.begin().await.unwrap();
        let stand_still = "SET SESSION timestamp = 1700000000.5";
        execute_text(&transaction, stand_still).await.unwrap();
        let likes = |videos: std::ops::Range<i64>| {
            Batch::new(videos.map(|video_id| FavoriteOp {
                user_id: 1,
                video_id,
                author_id: 1,
                liked: true,
            }))
        };
        for (videos, changed) in [
            (1..3, vec![true; 2]),
            (3..4, vec![true]),
            (2..7, vec![false, false, true, true, true]),
        ] {
            let outcome = likes(videos).run(&transaction).await.unwrap();
            assert_eq!(outcome.output, changed);
            // What the clock says, not what the likes are stamped with.
            assert_eq!(outcome.clock.unwrap().us, 1_700_000_000_500_000);
        }
        execute_text(&transaction, "COMMIT").await.unwrap();
        let moments = "SELECT COUNT(DISTINCT liked_us) FROM favorites WHERE user_id = 1";
        assert_eq!(database.value::<i64>(moments).await, 6);
    }
}
