//! Finds orphans: rows that refer to a user or video that doesn't exist, as after the restore of an older dump or a manual change.
//!
//! There are no foreign keys between domains, so the database doesn't prevent them. They are only reported: it can't be known here which
//! side is wrong.

use std::{collections::BTreeMap, time::Duration};

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, Statement, Value};

use crate::{DalError, Db, lock::Lock, pool::within, reconcile};

/// For one page.
const PAGE_DEADLINE: Duration = Duration::from_secs(300);
/// Values of the paging column in a page. There may be many rows for each.
const PAGE: i64 = 10_000;

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

struct Reference {
    table: &'static str,
    /// Has an index.
    paged_by: &'static str,
    column: &'static str,
    refers_to: &'static str,
}

const fn reference(
    table: &'static str,
    paged_by: &'static str,
    column: &'static str,
    refers_to: &'static str,
) -> Reference {
    Reference {
        table,
        paged_by,
        column,
        refers_to,
    }
}

const REFERENCES: [Reference; 9] = [
    reference("videos", "id", "author_id", "users"),
    reference("favorites", "user_id", "user_id", "users"),
    reference("favorites", "user_id", "video_id", "videos"),
    reference("comments", "id", "user_id", "users"),
    reference("comments", "id", "video_id", "videos"),
    reference("follows", "id", "user_id", "users"),
    reference("follows", "id", "followed_id", "users"),
    reference("messages", "id", "low_id", "users"),
    reference("messages", "id", "high_id", "users"),
];

/// All orphans, read on the primary. Others may write in the meantime: a new row refers to what existed before it.
pub async fn find(db: &Db) -> Result<Vec<Orphans>, DalError> {
    let lock = Lock::take(db, "reconcile").await?;
    let lock = lock.ok_or_else(reconcile::busy)?;
    let result = find_all(&lock.session).await;
    lock.release().await;
    Ok(result?)
}

async fn find_all(session: &DatabaseTransaction) -> Result<Vec<Orphans>, DbErr> {
    let mut all = Vec::new();
    for reference in &REFERENCES {
        let mut found: BTreeMap<i64, i64> = BTreeMap::new();
        let mut from = i64::MIN;
        while let Some(first) = within(PAGE_DEADLINE, reference.next(session, from)).await? {
            let last = first.saturating_add(PAGE - 1);
            let page = within(PAGE_DEADLINE, reference.page(session, first, last)).await?;
            for (id, rows) in page {
                let sum = found.entry(id).or_default();
                *sum = sum.saturating_add(rows);
            }
            match last.checked_add(1) {
                Some(next) => from = next,
                None => break,
            }
        }
        let Reference {
            table,
            column,
            refers_to,
            ..
        } = *reference;
        all.extend(found.into_iter().map(|(id, rows)| Orphans {
            table,
            column,
            refers_to,
            id,
            rows,
        }));
    }
    Ok(all)
}

impl Reference {
    async fn next(&self, session: &DatabaseTransaction, from: i64) -> Result<Option<i64>, DbErr> {
        let Self {
            table, paged_by, ..
        } = self;
        let sql = format!("SELECT MIN({paged_by}) AS first FROM {table} WHERE {paged_by} >= ?");
        let statement = Statement::from_sql_and_values(DbBackend::MySql, sql, [from.into()]);
        let row = session.query_one_raw(statement).await?;
        let first: Option<Option<i64>> = row.map(|row| row.try_get("", "first")).transpose()?;
        Ok(first.flatten())
    }

    async fn page(
        &self,
        session: &DatabaseTransaction,
        first: i64,
        last: i64,
    ) -> Result<Vec<(i64, i64)>, DbErr> {
        let Self {
            table,
            paged_by,
            column,
            refers_to,
        } = self;
        // What is being deleted goes by itself.
        let (deletions, deleted) = match *refers_to {
            "videos" => ("video_deletions", "video_id"),
            _ => ("user_deletions", "user_id"),
        };
        let sql = format!(
            "SELECT referring.{column} AS missing, COUNT(*) AS orphans FROM {table} AS referring \
             LEFT JOIN {refers_to} AS there ON there.id = referring.{column} \
             LEFT JOIN {deletions} AS going ON going.{deleted} = referring.{column} \
             WHERE referring.{paged_by} BETWEEN ? AND ? AND there.id IS NULL AND going.{deleted} IS NULL \
             GROUP BY referring.{column}"
        );
        let range: [Value; 2] = [first.into(), last.into()];
        let statement = Statement::from_sql_and_values(DbBackend::MySql, sql, range);
        let rows = session.query_all_raw(statement).await?;
        let rows = rows
            .iter()
            .map(|row| Ok((row.try_get("", "missing")?, row.try_get("", "orphans")?)));
        rows.collect()
    }
}
