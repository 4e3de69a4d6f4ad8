//! The newest videos of many authors, for a viewer who follows them. The cost is bounded: one step in an index for each author, then the
//! newest videos of a few, however much the authors have published. On MySQL the first is no step but a range, see [`newest_of_each`].
//!
//! A page of `n` videos holds only those of the `n` authors whose newest video before its bound is the newest: each of those authors has
//! one that is at least as new as any video of the others.

use std::collections::BTreeSet;

use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement, Value};

use crate::{
    DalError, Db, Reader,
    id_list::{distinct, padded},
    videos::{self, Video},
};

/// The list of authors is padded to one of these lengths. Every connection keeps each text prepared, which takes half a KiB of the server's
/// memory for each placeholder. Powers of two would be 14 texts.
const LENGTHS: [usize; 6] = [1, 8, 64, 512, 2048, MAX_AUTHORS];
/// As many as a viewer's feed is made of.
const MAX_AUTHORS: usize = 5000;

/// At most `limit` videos of these authors, published strictly before `before_ms` (absent: no bound), newest first. Three statements.
pub async fn page(
    db: &Db,
    author_ids: &[i64],
    before_ms: Option<i64>,
    limit: u64,
    reader: &Reader,
) -> Result<Vec<Video>, DalError> {
    let before_ms = before_ms.unwrap_or(i64::MAX);
    let limit_rows = usize::try_from(limit).unwrap_or(usize::MAX);
    let Some(query) = newest_of_each(author_ids, before_ms, limit) else {
        return Ok(Vec::new());
    };
    let rows = db.read(reader).query_all_raw(query).await?;
    let authors: Result<Vec<i64>, DbErr> = rows
        .iter()
        .map(|row| row.try_get("", "author_id"))
        .collect();
    let Some(query) = newest_of_few(&authors?, before_ms, limit) else {
        return Ok(Vec::new());
    };
    let rows = db.read(reader).query_all_raw(query).await?;
    let place = |row: &QueryResult| Ok((row.try_get("", "published_ms")?, row.try_get("", "id")?));
    // An author who was repeated to fill the list is found twice.
    let places: Result<BTreeSet<(i64, i64)>, DbErr> = rows.iter().map(place).collect();
    let ids: Vec<i64> = places?
        .into_iter()
        .rev()
        .take(limit_rows)
        .map(|(_, id)| id)
        .collect();
    let mut found = videos::mget(db, &ids, reader).await?;
    found.sort_unstable_by_key(|video| std::cmp::Reverse(video.published_ms));
    Ok(found)
}

/// Those `limit` authors whose newest video before the bound is the newest. MAX for each group is one step in the index, where that is
/// less than reading all of the group. MySQL does that only for a text without placeholders: it reads the index entries of all videos of
/// these authors before the bound.
pub(crate) fn newest_of_each(author_ids: &[i64], before_ms: i64, limit: u64) -> Option<Statement> {
    let mut authors = distinct(author_ids);
    let last = authors.last().copied()?;
    let length = LENGTHS.into_iter().find(|length| *length >= authors.len());
    authors.resize(length.unwrap_or(authors.len()), last);
    let marks = vec!["?"; authors.len()].join(", ");
    let sql = format!(
        "SELECT author_id, MAX(published_ms) AS newest_ms FROM videos FORCE INDEX (videos_author) \
         WHERE author_id IN ({marks}) AND published_ms < ? GROUP BY author_id ORDER BY newest_ms DESC LIMIT ?"
    );
    let mut values: Vec<Value> = authors.into_iter().map(Value::from).collect();
    values.extend([before_ms.into(), limit.into()]);
    let query = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
    Some(query)
}

/// The newest `limit` videos of each of these authors, from the index alone.
pub(crate) fn newest_of_few(author_ids: &[i64], before_ms: i64, limit: u64) -> Option<Statement> {
    let authors = padded(author_ids);
    let part = "(SELECT id, published_ms FROM videos FORCE INDEX (videos_author) WHERE author_id = ? AND published_ms < ? \
         ORDER BY published_ms DESC LIMIT ?)";
    let sql = vec![part; authors.len()].join(" UNION ALL ");
    let is_empty = authors.is_empty();
    let values = authors
        .into_iter()
        .flat_map(|author| [author.into(), before_ms.into(), limit.into()]);
    let values: Vec<Value> = values.collect();
    (!is_empty).then(|| Statement::from_sql_and_values(DbBackend::MySql, sql, values))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};

    use super::*;

    #[test]
    fn the_server_keeps_few_statements_and_every_author_is_asked_for() {
        let mut texts = HashSet::new();
        for authors in [1, 2, 8, 9, 30, 64, 65, 300, 512, 513, 2048, 2049, 5000] {
            let authors: Vec<i64> = (1..=authors).collect();
            let query = newest_of_each(&authors, 7, 30).unwrap();
            let mut values = query.values.unwrap().0;
            assert_eq!(query.sql.matches('?').count(), values.len());
            // Behind them are the bound and the limit.
            values.truncate(values.len() - 2);
            let asked = values.into_iter().map(|value| value.unwrap::<i64>());
            let asked: BTreeSet<i64> = asked.collect();
            assert_eq!(asked, authors.into_iter().collect());
            texts.insert(query.sql);
        }
        assert_eq!(texts.len(), LENGTHS.len());
        assert!(newest_of_each(&[], 7, 30).is_none());
    }
}
