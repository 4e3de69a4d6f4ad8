//! Finds orphans: rows that refer to a user or video that doesn't exist, as after the restore of an older dump or a manual change.
//!
//! There are no foreign keys between domains, so the database doesn't prevent them. They are only reported: it can't be known here which
//! side is wrong.

use std::{collections::BTreeMap, time::Duration};

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, QueryResult, Statement};

use crate::{DalError, Db, lock::Lock, pages::Key, pool::within, reconcile};

/// For one page.
const PAGE_DEADLINE: Duration = Duration::from_secs(10);
/// Rows in a page.
const PAGE: usize = 10_000;
/// Missing ids that are named for each reference; of more, only the rows are counted. So a table that refers to nothing that is there
/// takes no memory.
pub const MAX_NAMED: usize = 20;

/// Rows that refer to one that isn't there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Orphans {
    /// Whose rows.
    pub table: &'static str,
    /// Which of their columns refers.
    pub column: &'static str,
    /// To which table.
    pub refers_to: &'static str,
    /// The id that isn't there.
    pub id: i64,
    /// How many rows.
    pub rows: i64,
}

/// All orphans.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Those of the missing ids that were found first, at most [`MAX_NAMED`] for each column that refers.
    pub named: Vec<Orphans>,
    /// How many rows there are, those of `named` included.
    pub rows: i64,
}

struct Reference {
    table: &'static str,
    key: Key,
    column: &'static str,
    refers_to: &'static str,
}

const fn reference(
    table: &'static str,
    key: &'static [&'static str],
    column: &'static str,
    refers_to: &'static str,
) -> Reference {
    Reference {
        table,
        key: Key(key),
        column,
        refers_to,
    }
}

/// Not `user_pictures`: pages are read by whole numbers, and its key is a text. A picture of nobody only takes up space in the store.
const REFERENCES: [Reference; 11] = [
    reference("videos", &["id"], "author_id", "users"),
    reference("favorites", &["user_id", "video_id"], "user_id", "users"),
    reference("favorites", &["user_id", "video_id"], "video_id", "videos"),
    reference("comments", &["id"], "user_id", "users"),
    reference("comments", &["id"], "video_id", "videos"),
    reference("follows", &["id"], "user_id", "users"),
    reference("follows", &["id"], "followed_id", "users"),
    reference("messages", &["id"], "low_id", "users"),
    reference("messages", &["id"], "high_id", "users"),
    reference("blocks", &["user_id", "blocked_id"], "user_id", "users"),
    reference("blocks", &["user_id", "blocked_id"], "blocked_id", "users"),
];

/// All orphans, read on the primary. Others may write in the meantime: a new row refers to what existed before it.
pub async fn find(db: &Db) -> Result<Found, DalError> {
    let lock = Lock::take(db, "reconcile").await?;
    let lock = lock.ok_or_else(reconcile::busy)?;
    let result = find_all(&lock.session).await;
    lock.release().await;
    Ok(result?)
}

async fn find_all(session: &DatabaseTransaction) -> Result<Found, DbErr> {
    let mut all = Found::default();
    for reference in &REFERENCES {
        let mut named: BTreeMap<i64, i64> = BTreeMap::new();
        let mut cursor: Option<Vec<i64>> = None;
        loop {
            let last = within(PAGE_DEADLINE, reference.last(session, cursor.as_deref())).await?;
            let page = reference.page(session, cursor.as_deref(), last.as_deref());
            for (id, rows) in within(PAGE_DEADLINE, page).await? {
                all.rows = all.rows.saturating_add(rows);
                if named.len() < MAX_NAMED || named.contains_key(&id) {
                    let sum = named.entry(id).or_default();
                    *sum = sum.saturating_add(rows);
                }
            }
            if last.is_none() {
                break;
            }
            cursor = last;
        }
        let Reference {
            table,
            column,
            refers_to,
            ..
        } = *reference;
        let orphans = |(id, rows)| Orphans {
            table,
            column,
            refers_to,
            id,
            rows,
        };
        all.named.extend(named.into_iter().map(orphans));
    }
    Ok(all)
}

impl Reference {
    /// The key of the last row of the page after the cursor; none if fewer rows are left.
    async fn last(
        &self,
        session: &DatabaseTransaction,
        cursor: Option<&[i64]>,
    ) -> Result<Option<Vec<i64>>, DbErr> {
        let (condition, values) = self.key.after(cursor);
        let (table, key) = (self.table, self.key.0.join(", "));
        let sql = format!(
            "SELECT {key} FROM {table} FORCE INDEX (PRIMARY) WHERE {condition} ORDER BY {key} LIMIT 1 OFFSET {}",
            PAGE - 1
        );
        let statement = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
        let row = session.query_one_raw(statement).await?;
        let key_of = |row: QueryResult| (0..self.key.0.len()).map(move |n| row.try_get_by_index(n));
        row.map(|row| key_of(row).collect()).transpose()
    }

    async fn page(
        &self,
        session: &DatabaseTransaction,
        cursor: Option<&[i64]>,
        last: Option<&[i64]>,
    ) -> Result<Vec<(i64, i64)>, DbErr> {
        let Self {
            table,
            key,
            column,
            refers_to,
        } = self;
        // What is being deleted goes by itself.
        let (deletions, deleted) = match *refers_to {
            "videos" => ("video_deletions", "video_id"),
            _ => ("user_deletions", "user_id"),
        };
        let (after, mut values) = key.after(cursor);
        let (up_to, more) = key.up_to(last);
        values.extend(more);
        let sql = format!(
            "SELECT referring.id AS missing, COUNT(*) AS orphans \
             FROM (SELECT {column} AS id FROM {table} FORCE INDEX (PRIMARY) WHERE {after} AND {up_to}) AS referring \
             LEFT JOIN {refers_to} AS there ON there.id = referring.id \
             LEFT JOIN {deletions} AS going ON going.{deleted} = referring.id \
             WHERE there.id IS NULL AND going.{deleted} IS NULL \
             GROUP BY referring.id ORDER BY referring.id"
        );
        let statement = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
        let rows = session.query_all_raw(statement).await?;
        let rows = rows
            .iter()
            .map(|row| Ok((row.try_get("", "missing")?, row.try_get("", "orphans")?)));
        rows.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn blocks_by_nobody_and_of_nobody_are_found() {
        let database = testkit::Database::create().await;
        let mysql = database.settings(4);
        crate::migrate(&mysql).await.unwrap();
        for rows in [
            "INSERT INTO users (id, name, password_hash) VALUES (1, 'a', '-'), (2, 'b', '-')",
            "INSERT INTO blocks (user_id, blocked_id, blocked_ms) VALUES (1, 2, 1), (1, 3, 1), (4, 1, 1), (4, 2, 1)",
        ] {
            database.execute(rows).await;
        }
        let found = find(&Db::connect(&mysql).unwrap()).await.unwrap();
        let orphans = |column, id, rows| Orphans {
            table: "blocks",
            column,
            refers_to: "users",
            id,
            rows,
        };
        assert_eq!(found.rows, 3);
        assert_eq!(
            found.named,
            [orphans("user_id", 4, 2), orphans("blocked_id", 3, 1)]
        );
    }
}
