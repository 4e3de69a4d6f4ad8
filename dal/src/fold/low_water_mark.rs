//! Where the ledger begins, so that nothing is read that was folded long ago: the low-water mark for folds, two generations for counts.
//!
//! Rows that were folded stay in the table, deleted, while some transaction may still see them: a dump that runs for an hour keeps those of an
//! hour, and whatever reads over them pays for each.
//!
//! * *The low-water mark*: no row has an id up to it, and none ever will. A fold reads by id, from the mark on.
//! * *Generations*: a row notes the folder's generation when it is written, and only rows of this one and of the one before can be there. A count
//!   reads by counter and generation. Not by counter and id: a range of the index isn't left before the next row that is there, so
//!   a read of one counter would pass the deleted rows of others behind it. Equal values are left at once.
//!
//! # Why it is right, race by race
//!
//! Ids are given in the order of the inserts, and commits come in another. So the highest id of a fold says nothing about those below.
//! Therefore it goes step by step: a new generation begins; one [write lifetime](LIFETIME) later a fold takes an id (`next_mark`); when another one
//! has passed, and no row up to that id is there, neither committed nor of an open transaction, that id becomes the mark and the
//! next generation begins.
//!
//! * *A row below the mark.* A transaction writes its ledger last, commits in the same trip, and does that by the deadline of its write. So an
//!   insert that took a lower id has ended: its rows are there, or never will be.
//! * *A row of an older generation.* It was written by an insert that began in that generation. That has ended before the id is taken, which is
//!   above all of its ids then. So when the id becomes the mark, there is no such row.
//! * *A transaction stays open longer than that* (its client is paused or cut off, the disk is full, somebody tries something by hand). Its
//!   rows are locked. A locking read that doesn't wait is refused by them, so mark and generation wait, however long.
//! * *A count is read while a fold commits, or while the mark moves.* The statement reads generation, counters and ledger in one snapshot. What the
//!   next generation leaves out was folded by a commit before the one that begins it.
//! * *A dump, or a replica that lags, has an older mark*: it reads the rows of then.
//! * *Two folders are at it*, since one has lost its lock. What either has found out stays true. Each step is taken only from where it was found.
//! * *Another server becomes the primary.* The id was taken by a row that was inserted, and deleted, in the commit that noted it. So whatever
//!   server knows the mark gives higher ids.
//! * *Ids begin anew* (`TRUNCATE`, a copy of the table without its AUTO_INCREMENT). New rows would be below the mark, and never folded. The next id
//!   that a fold takes isn't above the mark: then the mark is set to 0.
//! * *The primary's clock is set forward.* Then a step is taken early, and an insert that took an id and hasn't written its row, a matter of
//!   microseconds, could be passed over. *Set back:* the time is counted anew.
//! * *A process of an older version* writes no generation, which makes it 0: counts always read that one, too.

use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, Statement};

use crate::{
    DalError, Db,
    db::WRITE_DEADLINE,
    error,
    pool::{LOCK_WAIT, execute_text},
};

/// A row that was inserted this long ago is committed or never will be: the deadline of a write, and the wait for a lock by a statement that
/// began just before it.
const LIFETIME: Duration = WRITE_DEADLINE.saturating_add(LOCK_WAIT);

const NOW_MS: &str = "CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)";

/// The mark, and how far the next step is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    /// Where folds begin.
    pub(super) low: i64,
    /// What it becomes; 0: no id was taken yet.
    next: i64,
    generation: i64,
    /// The primary's clock at the last step.
    marked_ms: i64,
    /// The primary's clock when this was read.
    now_ms: i64,
}

/// As it is now.
pub(super) async fn read<C: ConnectionTrait>(session: &C) -> Result<Mark, DbErr> {
    let sql = format!(
        "SELECT low_water_mark, next_mark, generation, marked_ms, {NOW_MS} AS now_ms FROM folder WHERE id = 1"
    );
    let statement = Statement::from_string(DbBackend::MySql, sql);
    let row = session.query_one_raw(statement).await?;
    let row = row.ok_or_else(|| DbErr::RecordNotFound("the row of folder".to_owned()))?;
    Ok(Mark {
        low: row.try_get("", "low_water_mark")?,
        next: row.try_get("", "next_mark")?,
        generation: row.try_get("", "generation")?,
        marked_ms: row.try_get("", "marked_ms")?,
        now_ms: row.try_get("", "now_ms")?,
    })
}

/// Takes the next step if it is time. Also notes a fold to the end that began when `was` was read.
pub(super) async fn advance(session: &DatabaseTransaction, was: &Mark) -> Result<(), DbErr> {
    let Mark {
        low,
        next,
        generation,
        marked_ms,
        now_ms,
    } = *was;
    let lifetime_ms = i64::try_from(LIFETIME.as_millis()).unwrap_or(i64::MAX);
    let is_time = now_ms.saturating_sub(marked_ms) >= lifetime_ms;
    let as_found = format!("id = 1 AND generation = {generation} AND next_mark = {next}");
    let step = if is_time && next == 0 {
        // The row takes an id: all ids below were given before. Kind 0 is no counter's. By the function itself the row would be looked for in
        // the whole table.
        format!(
            "INSERT INTO ledger (kind, target_id, delta) VALUES (0, 0, 0); \
             SET @taken = LAST_INSERT_ID(); \
             DELETE FROM ledger WHERE id = @taken; \
             UPDATE folder SET low_water_mark = IF(@taken > {low}, {low}, 0), \
             next_mark = IF(@taken > {low}, @taken, 0), marked_ms = {NOW_MS} WHERE {as_found}"
        )
    } else if is_time && is_empty(session, low, next).await? {
        format!(
            "UPDATE folder SET low_water_mark = {next}, next_mark = 0, generation = {generation} + 1, marked_ms = {NOW_MS} \
             WHERE {as_found}"
        )
    } else {
        // A clock that was set back.
        format!("UPDATE folder SET marked_ms = LEAST(marked_ms, {now_ms}) WHERE id = 1")
    };
    let folded = format!("UPDATE folder SET folded_ms = {now_ms} WHERE id = 1");
    execute_text(session, &format!("{step}; {folded}; COMMIT AND CHAIN")).await?;
    Ok(())
}

/// Whether no row has an id above `low` up to `next`, committed or not.
async fn is_empty(session: &DatabaseTransaction, low: i64, next: i64) -> Result<bool, DbErr> {
    let sql = "SELECT id FROM ledger FORCE INDEX (PRIMARY) WHERE id > ? AND id <= ? ORDER BY id LIMIT 1 FOR UPDATE NOWAIT";
    let values = [low.into(), next.into()];
    let statement = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
    match session.query_one_raw(statement).await {
        Err(e) if error::is_locked(&e) => Ok(false),
        row => Ok(row?.is_none()),
    }
}

/// How long ago the ledger was last folded to its end, by whatever process: nothing that is open in it is older.
pub(super) async fn backlog_age(db: &Db) -> Result<Duration, DalError> {
    let sql = format!("SELECT {NOW_MS} - folded_ms AS age_ms FROM folder WHERE id = 1");
    let statement = Statement::from_string(DbBackend::MySql, sql);
    let row = db.read_own_writes().query_one_raw(statement).await?;
    let age_ms: Option<i64> = row.map(|row| row.try_get("", "age_ms")).transpose()?;
    Ok(Duration::from_millis(
        u64::try_from(age_ms.unwrap_or_default()).unwrap_or_default(),
    ))
}
