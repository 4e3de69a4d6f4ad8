//! Compares every counter with the rows that it counts, and repairs the counters. The rows are the truth.
//!
//! Both sides are read in one statement, so in one snapshot, and a write changes both in one transaction. So a difference is a wrong
//! counter and not a write in progress. Later writes don't change the difference, so the ledger can add it at any time.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, Statement, Value};

use crate::{
    DalError, Db,
    counts::Counter,
    ledger::{self, Deltas},
    lock::Lock,
    pool::within,
};

/// For one page of one kind.
const PAGE_DEADLINE: Duration = Duration::from_secs(300);
/// Ids in a page. Their rows may be many more.
const PAGE: i64 = 10_000;

/// A counter that differs from the number of its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    /// Which one.
    pub counter: Counter,
    /// Its value.
    pub shown: i64,
    /// How many rows there are.
    pub rows: i64,
}

/// What a kind of counter counts: the table's rows by this column.
struct Kind {
    counter: fn(i64) -> Counter,
    table: &'static str,
    column: &'static str,
    /// Which rows count, as a condition.
    only: &'static str,
    /// Whether the column has an index, so that it can be read page by page.
    paged: bool,
}

const KINDS: [Kind; 7] = [
    Kind {
        counter: Counter::VideoFavorites,
        table: "favorites",
        column: "video_id",
        only: "TRUE",
        paged: true,
    },
    Kind {
        counter: Counter::VideoComments,
        table: "comments",
        column: "video_id",
        only: "TRUE",
        paged: true,
    },
    Kind {
        counter: Counter::UserFavorited,
        table: "favorites",
        column: "author_id",
        only: "TRUE",
        paged: false,
    },
    Kind {
        counter: Counter::UserFavorites,
        table: "favorites",
        column: "user_id",
        only: "TRUE",
        paged: true,
    },
    Kind {
        counter: Counter::UserWorks,
        table: "videos",
        column: "author_id",
        // Of this index.
        only: "published_ms IS NOT NULL",
        paged: true,
    },
    Kind {
        counter: Counter::UserFollows,
        table: "follows",
        column: "user_id",
        only: "TRUE",
        paged: true,
    },
    Kind {
        counter: Counter::UserFollowers,
        table: "follows",
        column: "followed_id",
        only: "TRUE",
        paged: true,
    },
];

/// All counters that differ from their rows, on the primary.
pub async fn differences(db: &Db) -> Result<Vec<Difference>, DalError> {
    run(db, false).await
}

/// Repairs all counters that differ, and returns the differences. The ledger gets what they lack: the counters are exact at once, Redis
/// after the next fold. Others may write in the meantime.
pub async fn fix(db: &Db) -> Result<Vec<Difference>, DalError> {
    run(db, true).await
}

/// One process at a time: two would add the same difference twice.
async fn run(db: &Db, mend: bool) -> Result<Vec<Difference>, DalError> {
    let lock = Lock::take(db, "reconcile").await?;
    let lock = lock.ok_or_else(busy)?;
    let result = compare(&lock.session, mend).await;
    lock.release().await;
    result
}

pub(crate) fn busy() -> DalError {
    let busy = DbErr::Custom("another reconciliation is under way".to_owned());
    DalError::Unavailable(busy)
}

async fn compare(session: &DatabaseTransaction, mend: bool) -> Result<Vec<Difference>, DalError> {
    let mut all = Vec::new();
    for kind in &KINDS {
        let mut from = i64::MIN;
        while let Some((first, last)) = within(PAGE_DEADLINE, kind.next_page(session, from)).await?
        {
            let page = within(PAGE_DEADLINE, kind.differences(session, first, last)).await?;
            if mend && !page.is_empty() {
                within(PAGE_DEADLINE, append(session, &page)).await?;
            }
            all.extend(page);
            match last.checked_add(1) {
                Some(next) => from = next,
                None => break,
            }
        }
    }
    Ok(all)
}

async fn append(session: &DatabaseTransaction, page: &[Difference]) -> Result<(), DbErr> {
    let mut deltas = Deltas::default();
    for Difference {
        counter,
        shown,
        rows,
    } in page
    {
        deltas.add(*counter, rows.saturating_sub(*shown));
    }
    ledger::append_and_commit(session, &deltas).await
}

impl Kind {
    fn number(&self) -> i8 {
        (self.counter)(0).parts().0
    }

    /// The next ids, from `from` on, that have a row or a counter.
    async fn next_page(
        &self,
        session: &DatabaseTransaction,
        from: i64,
    ) -> Result<Option<(i64, i64)>, DbErr> {
        if !self.paged {
            return Ok((from == i64::MIN).then_some((i64::MIN, i64::MAX)));
        }
        let Self { table, column, .. } = self;
        let sql = format!(
            "SELECT MIN(id) AS id FROM (\
             SELECT MIN(target_id) AS id FROM counters WHERE kind = ? AND target_id >= ? \
             UNION ALL SELECT MIN(target_id) FROM ledger WHERE kind = ? AND target_id >= ? \
             UNION ALL SELECT MIN({column}) FROM {table} WHERE {column} >= ?) AS next"
        );
        let kind = Value::from(self.number());
        let from = Value::from(from);
        let values = [kind.clone(), from.clone(), kind, from.clone(), from];
        let statement = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
        let row = session.query_one_raw(statement).await?;
        let first: Option<Option<i64>> = row.map(|row| row.try_get("", "id")).transpose()?;
        Ok(first
            .flatten()
            .map(|first| (first, first.saturating_add(PAGE - 1))))
    }

    /// Those with ids from `first` to `last` that differ.
    async fn differences(
        &self,
        session: &DatabaseTransaction,
        first: i64,
        last: i64,
    ) -> Result<Vec<Difference>, DbErr> {
        let Self {
            table,
            column,
            only,
            ..
        } = self;
        let sql = format!(
            "SELECT id, CAST(SUM(shown) AS SIGNED) AS shown, CAST(SUM(counted) AS SIGNED) AS counted FROM (\
             SELECT target_id AS id, value AS shown, 0 AS counted FROM counters \
             WHERE kind = ? AND target_id BETWEEN ? AND ? \
             UNION ALL SELECT target_id, delta, 0 FROM ledger WHERE kind = ? AND target_id BETWEEN ? AND ? \
             UNION ALL SELECT {column}, 0, COUNT(*) FROM {table} WHERE {column} BETWEEN ? AND ? AND {only} GROUP BY {column}\
             ) AS sides GROUP BY id HAVING SUM(shown) <> SUM(counted) ORDER BY id"
        );
        let kind = Value::from(self.number());
        let (first, last) = (Value::from(first), Value::from(last));
        let range = [first.clone(), last.clone()];
        let of_kind = [kind, first, last];
        let values = [&of_kind[..], &of_kind[..], &range[..]].concat();
        let statement = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
        let rows = session.query_all_raw(statement).await?;
        rows.iter()
            .map(|row| {
                Ok(Difference {
                    counter: (self.counter)(row.try_get("", "id")?),
                    shown: row.try_get("", "shown")?,
                    rows: row.try_get("", "counted")?,
                })
            })
            .collect()
    }
}
