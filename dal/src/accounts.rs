//! What becomes of accounts after they were made: new passwords, ended tokens, suspensions, deletions.
//!
//! The row of an account is never deleted, so its name stays taken. `user_deletions` says of which deleted accounts other services may still have
//! something; its row goes when nothing is left, so a process that is killed loses none.

use marks::Subject;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, Statement, Value};

use crate::{
    DalError, Db,
    counters::Counters,
    db::Transaction,
    ledger::{self, Counted, Deltas},
    moderations,
};

/// A change of an account. Each ends all tokens that were issued before. `verified`: the hash that the user's password was checked against.
#[derive(Clone)]
pub enum AccountChange {
    /// Tokens end, and nothing else changes.
    EndTokens,
    /// A new password, as the hash function wrote it.
    Password {
        /// See above.
        verified: String,
        /// The new one.
        hash: String,
    },
    /// An operator suspends the account, or lets it be used again, for this reason of 1 to 500 characters.
    Suspended(bool, String),
    /// It is deleted for good.
    Deleted {
        /// See above.
        verified: String,
    },
}

/// Changes an account; the lowest epoch of a token that is good from now on. [`DalError::NotFound`]: there is no such account, it is deleted, or
/// its password isn't the verified one any more; nothing changed.
pub async fn change(
    db: &Db,
    counters: &Counters,
    user_id: i64,
    change: AccountChange,
) -> Result<i64, DalError> {
    ledger::commit(db, counters, Work { user_id, change }).await
}

struct Work {
    user_id: i64,
    change: AccountChange,
}

impl Transaction for Work {
    type Output = Counted<i64>;

    async fn run(&self, transaction: &DatabaseTransaction) -> Result<Self::Output, DalError> {
        let run = async |sql: &str, values: Vec<Value>| {
            let statement = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
            transaction.execute_raw(statement).await
        };
        let id = || Value::from(self.user_id);
        let end = "UPDATE users SET token_epoch = token_epoch + 1 WHERE id = ? AND state <> 2";
        let ended = match &self.change {
            AccountChange::EndTokens | AccountChange::Suspended(..) => run(end, vec![id()]).await?,
            AccountChange::Password { verified, .. } | AccountChange::Deleted { verified } => {
                let end = format!("{end} AND password_hash = ?");
                run(&end, vec![id(), verified.as_str().into()]).await?
            }
        };
        if ended.rows_affected() == 0 {
            return Err(DalError::NotFound);
        }
        match &self.change {
            AccountChange::EndTokens => {}
            AccountChange::Password { hash, .. } => {
                let set = "UPDATE users SET password_hash = ? WHERE id = ?";
                run(set, vec![hash.as_str().into(), id()]).await?;
            }
            AccountChange::Suspended(suspended, reason) => {
                let set = "UPDATE users SET state = ? WHERE id = ?";
                run(set, vec![i8::from(*suspended).into(), id()]).await?;
                let action = match suspended {
                    true => "suspend user",
                    false => "readmit user",
                };
                let log = moderations::record(action, self.user_id, reason);
                transaction.execute_raw(log).await?;
            }
            AccountChange::Deleted { .. } => {
                let select = Statement::from_sql_and_values(
                    DbBackend::MySql,
                    "SELECT avatar, background_image FROM users WHERE id = ?",
                    [id()],
                );
                let row = transaction.query_one_raw(select).await?;
                let row = row.ok_or(DalError::NotFound)?;
                let pictures: [String; 2] = [
                    row.try_get("", "avatar")?,
                    row.try_get("", "background_image")?,
                ];
                // No profile has them any more. What was sent and never used is found by its age.
                let drop = "UPDATE user_pictures SET state = 2, created_at = NOW(3) WHERE object_key IN (?, ?)";
                run(drop, pictures.map(Value::from).to_vec()).await?;
                let clear = "UPDATE users SET state = 2, password_hash = '', avatar = '', background_image = '', signature = '' WHERE id = ?";
                run(clear, vec![id()]).await?;
                let unblock = "DELETE FROM blocks WHERE user_id = ?";
                run(unblock, vec![id()]).await?;
                let record = "INSERT INTO user_deletions (user_id, begun_ms) VALUES (?, CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED))";
                run(record, vec![id()]).await?;
            }
        }
        let statement = Statement::from_sql_and_values(
            DbBackend::MySql,
            "SELECT token_epoch FROM users WHERE id = ?",
            [id()],
        );
        let row = transaction.query_one_raw(statement).await?;
        let row = row.ok_or(DalError::NotFound)?;
        Ok(Counted {
            output: row.try_get("", "token_epoch")?,
            deltas: Deltas::default(),
            marked: vec![Subject::User(self.user_id)],
        })
    }
}

/// At most `limit` deleted accounts of which something may be left.
pub async fn deletions(db: &Db, limit: u64) -> Result<Vec<i64>, DalError> {
    let statement = Statement::from_sql_and_values(
        DbBackend::MySql,
        "SELECT user_id FROM user_deletions ORDER BY user_id LIMIT ?",
        [limit.into()],
    );
    let rows = db.read_own_writes().query_all_raw(statement).await?;
    let ids = rows.iter().map(|row| row.try_get("", "user_id"));
    Ok(ids.collect::<Result<_, _>>()?)
}

/// Forgets a deletion of which nothing is left to do. Idempotent.
pub async fn finish_deletion(db: &Db, user_id: i64) -> Result<(), DalError> {
    let statement = Statement::from_sql_and_values(
        DbBackend::MySql,
        "DELETE FROM user_deletions WHERE user_id = ?",
        [user_id.into()],
    );
    db.write().execute_raw(statement).await?;
    Ok(())
}
