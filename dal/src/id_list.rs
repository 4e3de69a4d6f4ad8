//! Statements with lists of ids, and pages of lists. Lists are padded, so that few statement texts are prepared; rows that a replica lacks
//! are read on the primary.

use std::{collections::HashSet, future::Future};

use marks::Reader;

use crate::{DalError, Db, db::Read};

/// The ids sorted, without duplicates, and padded with the last id to a power of two. Every length is a statement that each connection keeps
/// prepared, and the server limits their total: this makes ten of them instead of hundreds.
pub(crate) fn padded<T: Ord + Clone>(ids: &[T]) -> Vec<T> {
    let mut list = distinct(ids);
    if let Some(last) = list.last().cloned() {
        list.resize(list.len().next_power_of_two(), last);
    }
    list
}

/// The ids sorted, without duplicates.
pub(crate) fn distinct<T: Ord + Clone>(ids: &[T]) -> Vec<T> {
    let mut list = ids.to_vec();
    list.sort_unstable();
    list.dedup();
    list
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// In the list's order.
    pub entries: Vec<T>,
    /// The cursor for the next page: a value of the column that orders the list, good also after the row there is deleted. None if nothing
    /// follows.
    pub next_before: Option<i64>,
}

impl<T> Page<T> {
    /// Makes a page of rows of which one more than `limit` was read. `cursor` gives the value of the column that orders the list.
    pub(crate) fn cut(mut rows: Vec<T>, limit: u64, cursor: impl Fn(&T) -> i64) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| has_more);
        Self {
            next_before: last.map(cursor),
            entries: rows,
        }
    }
}

/// Runs `query` for `ids`, then once more on the primary for those that a replica lacked: a row that another row refers to must be found
/// whatever the lag.
pub(crate) async fn fetch_all<'a, T, F>(
    db: &'a Db,
    ids: &[i64],
    reader: &'a Reader,
    id_of: impl Fn(&T) -> i64,
    query: impl Fn(Read<'a>, Vec<i64>) -> F,
) -> Result<Vec<T>, DalError>
where
    F: Future<Output = Result<Vec<T>, DalError>>,
{
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let read = db.read(reader);
    let may_be_stale = read.may_be_stale();
    let mut rows = query(read, padded(ids)).await?;
    if may_be_stale {
        let known: HashSet<i64> = rows.iter().map(&id_of).collect();
        let lacking: Vec<i64> = ids
            .iter()
            .copied()
            .filter(|id| !known.contains(id))
            .collect();
        if !lacking.is_empty() {
            rows.extend(query(db.reread_on_primary(), padded(&lacking)).await?);
        }
    }
    Ok(rows)
}
