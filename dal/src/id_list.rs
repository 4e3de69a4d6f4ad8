//! Lists of ids in a statement: none when empty, few statement texts, and a second look on the primary.

use std::{collections::HashSet, future::Future};

use marks::Reader;

use crate::{DalError, Db, db::Read};

/// Sorted and without repeats, then filled up to a power of two with its last id. Each length is a statement of its own that
/// every connection keeps prepared, and the server's total of those is limited: this leaves ten of them instead of hundreds.
pub(crate) fn padded<T: Ord + Clone>(ids: &[T]) -> Vec<T> {
    let mut list = ids.to_vec();
    list.sort_unstable();
    list.dedup();
    if let Some(last) = list.last().cloned() {
        list.resize(list.len().next_power_of_two(), last);
    }
    list
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// In the list's order.
    pub entries: Vec<T>,
    /// Where the next page goes on: a place in the order, which stays one when the row that stood there is gone. None when nothing
    /// follows.
    pub next_before: Option<i64>,
}

impl<T> Page<T> {
    /// Of rows that were asked for one more than `limit`; `place` is what the list is ordered by.
    pub(crate) fn cut(mut rows: Vec<T>, limit: u64, place: impl Fn(&T) -> i64) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        let last = rows.last().filter(|_| has_more);
        Self {
            next_before: last.map(place),
            entries: rows,
        }
    }
}

/// Runs `query` for `ids`, and for those that a replica didn't know once more on the primary: what another row refers to
/// must be found, whatever the replica's lag.
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
