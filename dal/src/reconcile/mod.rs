//! Compares every counter with the rows that it counts, and repairs the counters. The rows are the truth.
//!
//! Both sides are read in one snapshot, page by page in the order of the primary key, and a write changes both in one transaction. So a
//! difference is a wrong counter and not a write in progress. Later writes don't change the difference, so the ledger can add it at any
//! time. Memory is bounded, whatever there is to compare: see `Window`.

mod window;

use std::time::{Duration, Instant};

use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, QueryResult, Statement, Value,
};

use crate::{
    DalError, Db,
    counts::Counter,
    fold,
    ledger::{self, Deltas},
    lock::Lock,
    pages::Key,
    pool::{execute_text, within},
};
use window::Window;

/// For one page.
const PAGE_DEADLINE: Duration = Duration::from_secs(10);
/// Rows in a page: some 20 ms.
const PAGE: usize = 10_000;
/// Counters that one transaction repairs.
const REPAIRS: usize = 1000;

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

/// A table whose rows are counted.
struct Table {
    name: &'static str,
    key: Key,
    /// Which rows count, as a condition.
    only: &'static str,
    counted: &'static [Counted],
}

/// What a kind of counter counts: the table's rows by this column.
struct Counted {
    counter: fn(i64) -> Counter,
    column: &'static str,
}

const fn by(column: &'static str, counter: fn(i64) -> Counter) -> Counted {
    Counted { counter, column }
}

const TABLES: [Table; 4] = [
    Table {
        name: "favorites",
        key: Key(&["user_id", "video_id"]),
        only: "TRUE",
        counted: &[
            by("video_id", Counter::VideoFavorites),
            by("author_id", Counter::UserFavorited),
            by("user_id", Counter::UserFavorites),
        ],
    },
    Table {
        name: "comments",
        key: Key(&["id"]),
        only: "TRUE",
        counted: &[by("video_id", Counter::VideoComments)],
    },
    Table {
        name: "videos",
        key: Key(&["id"]),
        only: "published_ms IS NOT NULL",
        counted: &[by("author_id", Counter::UserWorks)],
    },
    Table {
        name: "follows",
        key: Key(&["id"]),
        only: "TRUE",
        counted: &[
            by("user_id", Counter::UserFollows),
            by("followed_id", Counter::UserFollowers),
        ],
    },
];

/// All counters that differ from their rows, on the primary.
pub async fn differences(db: &Db) -> Result<Vec<Difference>, DalError> {
    let mut all = Vec::new();
    visit(db, false, |difference| all.push(difference)).await?;
    Ok(all)
}

/// Repairs all counters that differ, and returns the differences. The ledger gets what they lack: the counters are exact at once, Redis
/// after the next fold. Others may write in the meantime.
pub async fn fix(db: &Db) -> Result<Vec<Difference>, DalError> {
    let mut all = Vec::new();
    visit(db, true, |difference| all.push(difference)).await?;
    Ok(all)
}

/// Calls `found` for each counter that differs, and repairs them if `repair`. One process at a time: two would add the same difference twice.
pub async fn visit(
    db: &Db,
    repair: bool,
    mut found: impl FnMut(Difference),
) -> Result<(), DalError> {
    let lock = Lock::take(db, "reconcile").await?;
    let lock = lock.ok_or_else(busy)?;
    let result = compare(&lock.session, repair, &mut found).await;
    lock.release().await;
    result
}

pub(crate) fn busy() -> DalError {
    let busy = DbErr::Custom("another reconciliation is under way".to_owned());
    DalError::Unavailable(busy)
}

async fn compare(
    session: &DatabaseTransaction,
    repair: bool,
    found: &mut impl FnMut(Difference),
) -> Result<(), DalError> {
    for table in &TABLES {
        let mut windows: Vec<Window> = table.counted.iter().map(|_| Window::default()).collect();
        while windows.iter().any(|window| !window.is_done()) {
            let snapshot = "COMMIT; SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ; \
                            START TRANSACTION WITH CONSISTENT SNAPSHOT";
            within(PAGE_DEADLINE, execute_text(session, snapshot)).await?;
            table.fill(session, &mut windows).await?;
            within(PAGE_DEADLINE, execute_text(session, "COMMIT")).await?;
            for (counted, window) in table.counted.iter().zip(&mut windows) {
                let mut batch = Vec::new();
                for (id, shown, rows) in window.differences() {
                    let difference = Difference {
                        counter: (counted.counter)(id),
                        shown,
                        rows,
                    };
                    found(difference);
                    batch.push(difference);
                    if repair && batch.len() >= REPAIRS {
                        within(PAGE_DEADLINE, append(session, &batch)).await?;
                        batch.clear();
                    }
                    if !repair {
                        batch.clear();
                    }
                }
                if !batch.is_empty() {
                    within(PAGE_DEADLINE, append(session, &batch)).await?;
                }
                window.advance();
            }
        }
    }
    Ok(())
}

async fn append(session: &DatabaseTransaction, batch: &[Difference]) -> Result<(), DbErr> {
    let mut deltas = Deltas::default();
    for Difference {
        counter,
        shown,
        rows,
    } in batch
    {
        deltas.add(*counter, rows.saturating_sub(*shown));
    }
    ledger::append_and_commit(session, &deltas).await
}

impl Table {
    /// Reads what the windows are to hold: counters, the ledger, rows.
    async fn fill(
        &self,
        session: &DatabaseTransaction,
        windows: &mut [Window],
    ) -> Result<(), DalError> {
        for (counted, window) in self.counted.iter().zip(windows.iter_mut()) {
            counted.read_counters(session, window).await?;
        }
        self.read_ledger(session, windows).await?;
        self.read_rows(session, windows).await
    }

    async fn read_ledger(
        &self,
        session: &DatabaseTransaction,
        windows: &mut [Window],
    ) -> Result<(), DalError> {
        let mut after = within(PAGE_DEADLINE, fold::ledger_begins(session)).await?;
        loop {
            let page = read(session, fold::newest_after(after, PAGE)).await?;
            for row in &page {
                after = row.try_get("", "id")?;
                let kind: i8 = row.try_get("", "kind")?;
                let of_kind = self.counted.iter().zip(windows.iter_mut());
                for (_, window) in of_kind.filter(|(counted, _)| counted.kind() == kind) {
                    window.show(row.try_get("", "target_id")?, row.try_get("", "delta")?);
                }
            }
            if page.len() < PAGE {
                return Ok(());
            }
        }
    }

    async fn read_rows(
        &self,
        session: &DatabaseTransaction,
        windows: &mut [Window],
    ) -> Result<(), DalError> {
        let Self {
            name,
            key,
            only,
            counted,
        } = self;
        let columns: Vec<&str> = key
            .0
            .iter()
            .copied()
            .chain(counted.iter().map(|counted| counted.column))
            .collect();
        let columns = columns.join(", ");
        let order = key.0.join(", ");
        let mut cursor: Option<Vec<i64>> = None;
        loop {
            let (after, values) = key.after(cursor.as_deref());
            let sql = format!(
                "SELECT {columns} FROM {name} FORCE INDEX (PRIMARY) WHERE {after} AND {only} ORDER BY {order} LIMIT {PAGE}"
            );
            let page = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
            let page = read(session, page).await?;
            for row in &page {
                for (n, window) in windows.iter_mut().enumerate() {
                    window.count(row.try_get_by_index(key.0.len() + n)?);
                }
            }
            let Some(last) = page.last().filter(|_| page.len() >= PAGE) else {
                return Ok(());
            };
            let last = (0..key.0.len()).map(|n| last.try_get_by_index(n));
            cursor = Some(last.collect::<Result<_, DbErr>>()?);
        }
    }
}

impl Counted {
    fn kind(&self) -> i8 {
        (self.counter)(0).parts().0
    }

    async fn read_counters(
        &self,
        session: &DatabaseTransaction,
        window: &mut Window,
    ) -> Result<(), DalError> {
        let sql = format!(
            "SELECT target_id, value FROM counters FORCE INDEX (PRIMARY) \
             WHERE kind = ? AND target_id >= ? ORDER BY target_id LIMIT {PAGE}"
        );
        let mut from = window.begins();
        loop {
            let values: [Value; 2] = [self.kind().into(), from.into()];
            let page = Statement::from_sql_and_values(DbBackend::MySql, sql.clone(), values);
            let page = read(session, page).await?;
            for row in &page {
                let id: i64 = row.try_get("", "target_id")?;
                // In order: what is behind the window is left to the next.
                if !window.show(id, row.try_get("", "value")?) {
                    return Ok(());
                }
                from = id;
            }
            match from.checked_add(1) {
                Some(next) if page.len() >= PAGE => from = next,
                _ => return Ok(()),
            }
        }
    }
}

/// Reads a page, and after a full one leaves as much time to others as it took.
async fn read(
    session: &DatabaseTransaction,
    page: Statement,
) -> Result<Vec<QueryResult>, DalError> {
    let begun = Instant::now();
    let rows = within(PAGE_DEADLINE, session.query_all_raw(page)).await?;
    if rows.len() >= PAGE {
        tokio::time::sleep(begun.elapsed()).await;
    }
    Ok(rows)
}
