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

/// A change of an account. Each ends all tokens that were issued before.
#[derive(Clone)]
pub enum AccountChange {
    /// Tokens end, and nothing else changes.
    EndTokens,
    /// A new password, as the hash function wrote it.
    Password(String),
    /// An operator suspends the account, or lets it be used again, for this reason of 1 to 500 characters.
    Suspended(bool, String),
    /// It is deleted for good.
    Deleted,
}

/// Changes an account; the lowest epoch of a token that is good from now on. [`DalError::NotFound`]: there is no such account, or it is deleted.
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
        if run(end, vec![id()]).await?.rows_affected() == 0 {
            return Err(DalError::NotFound);
        }
        match &self.change {
            AccountChange::EndTokens => {}
            AccountChange::Password(hash) => {
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
            AccountChange::Deleted => {
                let clear = "UPDATE users SET state = 2, password_hash = '', avatar = '', background_image = '', signature = '' WHERE id = ?";
                run(clear, vec![id()]).await?;
                // No profile has them any more.
                let drop =
                    "UPDATE user_pictures SET state = 2, created_at = NOW(3) WHERE user_id = ?";
                run(drop, vec![id()]).await?;
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
