//! The registry of writing processes on the primary: a row in `writers` for each, and a lock by name that it holds as long as it lives.
//!
//! The leases in Redis need two answers that only the primary has: whether a writer whose lease has run out is dead or only cut off, and
//! which writers exist after the set of leases was lost. A living writer that was declared dead finds its row changed; from then on it
//! acknowledges nothing that it can't tell Redis.

use std::time::Duration;

use marks::leases::{EpochBase, Registry, Settled, WriterStatus};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement, Value};

use crate::{
    DalError, Db,
    lock::{Lock, on_the_server},
    pool::{execute_text, within},
    position,
};

/// Between two checks that the lock is still held: well below the silence after which the server closes the connection.
const CHECK_PERIOD: Duration = Duration::from_secs(5);
/// Between two attempts to take it.
const RETRY_PERIOD: Duration = Duration::from_millis(500);
/// For one statement.
const DEADLINE: Duration = Duration::from_secs(1);
/// The deadline for inserting the row of a new id while the old id still holds the lease. It is a fraction of the lease's TTL, so the lease
/// is renewed in time even if the primary hangs.
const RENAMING_DEADLINE: Duration = Duration::from_millis(300);
/// Values of the column `state`. `DIRTY`: the writer has acknowledged a commit that isn't in Redis. `DEAD` is added when it is declared
/// dead.
const CLEAN: i8 = 0;
const DIRTY: i8 = 1;
const DEAD: i8 = 2;

impl Db {
    /// Starts to register this process as a writer, once. Must be called in a tokio runtime.
    pub(crate) fn start_registration(&self) {
        let started = std::mem::replace(&mut self.writer.known().is_started, true);
        if !started {
            vital::spawn("registration of writers", hold_writer_lock(self.clone()));
        }
    }

    /// Whether a commit that isn't in Redis may be acknowledged, given the state of the lease. Call this after the commit.
    pub(crate) async fn is_settled(
        &self,
        name: &'static str,
        settled: Settled,
    ) -> Result<bool, DalError> {
        let Settled::RunOut(ids) = settled else {
            return Ok(true);
        };
        for id in ids {
            if !self.is_dirty(name, id).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Records that this writer, an id of this process, owes Redis something. False if it was declared dead before.
    async fn is_dirty(&self, name: &'static str, id: String) -> Result<bool, DalError> {
        let row = (name, id);
        let is_recorded = self.writer.known().dirty.contains(&row);
        if !is_recorded {
            let sql = "UPDATE writers SET state = ? WHERE name = ? AND id = ? AND state = ?";
            let values = [
                DIRTY.into(),
                name.into(),
                row.1.clone().into(),
                CLEAN.into(),
            ];
            let record = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
            self.write().execute_raw(record).await?;
        }
        let sql = "SELECT 1 FROM writers WHERE name = ? AND id = ? AND state = ?";
        let values = [name.into(), row.1.clone().into(), DIRTY.into()];
        let query = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
        let is_dirty = self.read_own_writes().query_one_raw(query).await?.is_some();
        if !is_dirty {
            // Under a former id it may have been removed long ago.
            if self.writer.id.borrow().as_ref() == Some(&row.1) {
                self.writer.is_dead.notify_one();
            }
        } else if !is_recorded {
            self.writer.known().dirty.insert(row);
        }
        Ok(is_dirty)
    }

    /// Deletes the row of this process, which writes no more and has left Redis.
    pub(crate) async fn deregister(&self, name: &'static str) {
        let id = self.writer.known().rows.remove(name);
        if let Some(id) = id {
            let sql = format!("DELETE FROM writers WHERE name = ? AND id = ? AND state < {DEAD}");
            let values = [name.into(), id.into()];
            let delete = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
            // If it fails, others find the row of a dead writer.
            let _ = within(DEADLINE, self.write().execute_raw(delete)).await;
        }
    }

    /// Checks these writers, or all, and returns their statuses. Those that aren't alive are declared dead.
    async fn check_writers(
        &self,
        name: &'static str,
        ids: Option<&[String]>,
    ) -> Result<Vec<(String, WriterStatus)>, DbErr> {
        let condition = match ids {
            None => format!("state < {DEAD}"),
            Some(ids) => format!("id IN ({})", vec!["?"; ids.len()].join(", ")),
        };
        let values = || -> Vec<Value> {
            let ids = ids.unwrap_or_default().iter().cloned().map(Value::from);
            std::iter::once(name.into()).chain(ids).collect()
        };
        let lock = on_the_server("CONCAT('writer ', id)");
        let sql = format!(
            "SELECT id, state, CAST(IS_USED_LOCK({lock}) IS NULL AS SIGNED) AS is_free \
             FROM writers WHERE name = ? AND {condition}"
        );
        let query = Statement::from_sql_and_values(DbBackend::MySql, sql, values());
        let mut statuses = Vec::new();
        for row in self.read_own_writes().query_all_raw(query).await? {
            let (id, state): (String, i8) = (row.try_get("", "id")?, row.try_get("", "state")?);
            if state < DEAD && row.try_get::<i64>("", "is_free")? == 0 {
                statuses.push((id, WriterStatus::Alive));
                continue;
            }
            // Read again: it may have acknowledged a commit in the meantime.
            let sql = format!(
                "UPDATE writers SET state = state + {DEAD} WHERE name = ? AND id = ? AND state < {DEAD}"
            );
            let of_it = [name.into(), id.clone().into()];
            let declare_dead = Statement::from_sql_and_values(DbBackend::MySql, sql, of_it.clone());
            self.write().execute_raw(declare_dead).await?;
            let sql = "SELECT state FROM writers WHERE name = ? AND id = ?";
            let query = Statement::from_sql_and_values(DbBackend::MySql, sql, of_it);
            let row = self.read_own_writes().query_one_raw(query).await?;
            let state: Option<i8> = row.map(|row| row.try_get("", "state")).transpose()?;
            let status = match state {
                Some(state) if state == CLEAN + DEAD => WriterStatus::Gone,
                _ => WriterStatus::GoneDirty,
            };
            statuses.push((id, status));
        }
        for id in ids.unwrap_or_default() {
            // Without a row its state is unknown.
            if !statuses.iter().any(|(known, _)| known == id) {
                statuses.push((id.clone(), WriterStatus::GoneDirty));
            }
        }
        Ok(statuses)
    }
}

impl Registry for Db {
    async fn id(&self, name: &'static str) -> Option<String> {
        let mut known = self.writer.id.subscribe();
        let id = known.wait_for(Option::is_some).await.ok()?.clone()?;
        let former = self.writer.known().rows.get(name).cloned();
        if former.as_ref() == Some(&id) {
            return Some(id);
        }
        let sql = "INSERT IGNORE INTO writers (name, id) VALUES (?, ?)";
        let values = [name.into(), id.clone().into()];
        let insert = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
        let limit = match former {
            // Until the primary has the new id, the lease is held under the former one. That one may have been declared dead; `is_settled`
            // checks its row.
            Some(_) => RENAMING_DEADLINE,
            None => DEADLINE,
        };
        if within(limit, self.write().execute_raw(insert))
            .await
            .is_err()
        {
            return former;
        }
        self.writer.known().rows.insert(name, id.clone());
        Some(id)
    }

    async fn statuses(
        &self,
        name: &'static str,
        ids: &[String],
    ) -> Option<Vec<(String, WriterStatus)>> {
        self.check_writers(name, Some(ids)).await.ok()
    }

    async fn epoch_base(&self, name: &'static str) -> Option<EpochBase> {
        let all = self.check_writers(name, None).await.ok()?;
        let (alive, gone): (Vec<_>, Vec<_>) = all
            .into_iter()
            .partition(|(_, status)| *status == WriterStatus::Alive);
        // These aren't in Redis any more, and all that they acknowledged is older than the commit below.
        let gone: Vec<String> = gone.into_iter().map(|(id, _)| id).collect();
        if !gone.is_empty() {
            self.removed(name, &gone).await;
        }
        let commit = position::mark(self).await.ok()??;
        Some(EpochBase {
            writers: alive.into_iter().map(|(id, _)| id).collect(),
            commit: format!("{} {}", commit.seq, commit.gtid),
        })
    }

    async fn removed(&self, name: &'static str, ids: &[String]) {
        let list = vec!["?"; ids.len()].join(", ");
        let sql =
            format!("DELETE FROM writers WHERE name = ? AND id IN ({list}) AND state >= {DEAD}");
        let ids = ids.iter().cloned().map(Value::from);
        let values: Vec<Value> = std::iter::once(name.into()).chain(ids).collect();
        let delete = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
        // A row that stays does no harm.
        let _ = within(DEADLINE, self.write().execute_raw(delete)).await;
    }
}

/// Holds the lock that proves that this process lives. If the lock is lost with its connection, others may have declared this process dead;
/// after the restore of a dump its row is missing. In both cases it takes a new lock with a new id.
async fn hold_writer_lock(db: Db) {
    loop {
        let id = format!("{:016x}", rand::random::<u64>());
        if let Ok(Some(lock)) = Lock::take(&db, &format!("writer {id}")).await {
            db.writer.id.send_replace(Some(id.clone()));
            let mut is_alive = true;
            while is_alive {
                is_alive = tokio::select! {
                    () = tokio::time::sleep(CHECK_PERIOD) => is_still_registered(&db, &lock, &id).await,
                    () = db.writer.is_dead.notified() => false,
                };
            }
            lock.release().await;
        }
        tokio::time::sleep(RETRY_PERIOD).await;
    }
}

/// Whether the lock is still held, and the primary still has the rows that this process wrote.
async fn is_still_registered(db: &Db, lock: &Lock, id: &str) -> bool {
    // The session that holds the lock reads no table: its transaction stays open, so no table that it had read could be altered while
    // this process lives.
    let is_held = within(DEADLINE, execute_text(&lock.session, "DO 1")).await;
    // Without an answer of the pool, whose connections may all be in use, it keeps its id: whoever counts on a row looks at it.
    is_held.is_ok() && within(DEADLINE, has_rows(db, id)).await.unwrap_or(true)
}

async fn has_rows(db: &Db, id: &str) -> Result<bool, DbErr> {
    let of_id = |row: &&String| row.as_str() == id;
    let written = db.writer.known().rows.values().filter(of_id).count();
    let sql = format!("SELECT COUNT(*) AS found FROM writers WHERE id = ? AND state < {DEAD}");
    let query = Statement::from_sql_and_values(DbBackend::MySql, sql, [id.into()]);
    let row = db.read_own_writes().query_one_raw(query).await?;
    let found: Option<i64> = row.map(|row| row.try_get("", "found")).transpose()?;
    // There may be one more, which is being written now.
    Ok(found.is_some_and(|found| usize::try_from(found).is_ok_and(|found| found >= written)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plans;

    #[tokio::test]
    async fn a_full_pool_costs_no_writer_its_id() {
        let database = testkit::Database::create().await;
        let mysql = plans::mysql(&database);
        crate::migrate(&mysql).await.unwrap();
        let db = Db::connect(&mysql).unwrap();
        let lock = Lock::take(&db, "writer a").await.unwrap().unwrap();
        let only_one = db.connection().await.unwrap();
        assert!(is_still_registered(&db, &lock, "a").await);
        drop(only_one);
        assert!(is_still_registered(&db, &lock, "a").await);
        // Other than a row that is gone, or a lock.
        db.writer.known().rows.insert("marks", "a".to_owned());
        assert!(!is_still_registered(&db, &lock, "a").await);
        db.writer.known().rows.clear();
        let name = on_the_server("'writer a'");
        let holder = format!("SELECT CAST(IS_USED_LOCK({name}) AS SIGNED)");
        let holder: i64 = database.value(&holder).await;
        database.execute(&format!("KILL {holder}")).await;
        assert!(!is_still_registered(&db, &lock, "a").await);
    }
}
