//! Profiles: what a user shows of themself, and the pictures that the object store has for that. `user_pictures` lists every picture of ours in the
//! store; `users` says which of them a profile has.

use std::time::Duration;

use marks::Subject;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, Statement, Value};

use crate::{
    DalError, Db,
    counters::Counters,
    db::Transaction,
    ledger::{self, Counted, Deltas},
};

/// In `user_pictures.state`.
const UNUSED: i8 = 0;
const USED: i8 = 1;
const DROPPED: i8 = 2;

/// What changes of a profile; none: it stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProfileChange {
    /// A picture that was [recorded](record_picture) for this user and is not used yet.
    pub avatar: Option<String>,
    /// Likewise.
    pub background_image: Option<String>,
    /// At most 200 characters.
    pub signature: Option<String>,
}

/// Records a picture that is about to be stored.
pub async fn record_picture(db: &Db, object_key: &str, user_id: i64) -> Result<(), DalError> {
    let sql = "INSERT INTO user_pictures (object_key, user_id, state) VALUES (?, ?, ?)";
    run(db, sql, [object_key.into(), user_id.into(), UNUSED.into()]).await
}

/// Forgets a picture that the store hasn't any more. Idempotent.
pub async fn forget_picture(db: &Db, object_key: &str) -> Result<(), DalError> {
    let sql = "DELETE FROM user_pictures WHERE object_key = ? AND state <> ?";
    run(db, sql, [object_key.into(), USED.into()]).await
}

async fn run<const N: usize>(db: &Db, sql: &str, values: [Value; N]) -> Result<(), DalError> {
    let statement = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
    db.write().execute_raw(statement).await?;
    Ok(())
}

/// At most `limit` pictures that no profile has: dropped longer ago than `dropped_age`, or not used within `unused_age`.
pub async fn unused_pictures(
    db: &Db,
    unused_age: Duration,
    dropped_age: Duration,
    limit: u64,
) -> Result<Vec<String>, DalError> {
    let sql = "SELECT object_key FROM user_pictures WHERE state = ? AND created_at < NOW(3) - INTERVAL ? MICROSECOND \
               UNION ALL SELECT object_key FROM user_pictures WHERE state = ? AND created_at < NOW(3) - INTERVAL ? MICROSECOND LIMIT ?";
    let micros = |age: Duration| i64::try_from(age.as_micros()).unwrap_or(i64::MAX);
    let values = [
        DROPPED.into(),
        micros(dropped_age).into(),
        UNUSED.into(),
        micros(unused_age).into(),
        limit.into(),
    ];
    let statement = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
    let rows = db.read_own_writes().query_all_raw(statement).await?;
    let keys = rows.iter().map(|row| row.try_get("", "object_key"));
    Ok(keys.collect::<Result<_, _>>()?)
}

/// Changes a profile; the pictures that it had before and doesn't have now are dropped. Whoever reads with the user's mark sees the change at once,
/// others may be shown the dropped ones for a while. [`DalError::NotFound`]: no such user, or a picture that isn't theirs or is used already;
/// nothing changed.
pub async fn change(
    db: &Db,
    counters: &Counters,
    user_id: i64,
    change: ProfileChange,
) -> Result<(), DalError> {
    ledger::commit(db, counters, Work { user_id, change }).await
}

struct Work {
    user_id: i64,
    change: ProfileChange,
}

impl Transaction for Work {
    type Output = Counted<()>;

    async fn run(&self, transaction: &DatabaseTransaction) -> Result<Self::Output, DalError> {
        let run = async |sql: &str, values: Vec<Value>| {
            let statement = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
            transaction.execute_raw(statement).await
        };
        let select = Statement::from_sql_and_values(
            DbBackend::MySql,
            "SELECT avatar, background_image, signature FROM users WHERE id = ? AND state <> 2 FOR UPDATE",
            [self.user_id.into()],
        );
        let row = transaction.query_one_raw(select).await?;
        let row = row.ok_or(DalError::NotFound)?;
        let mut now = Vec::new();
        let pictures = [
            ("avatar", &self.change.avatar),
            ("background_image", &self.change.background_image),
        ];
        for (column, change) in pictures {
            let before: String = row.try_get("", column)?;
            let Some(key) = change else {
                now.push(before);
                continue;
            };
            let take = "UPDATE user_pictures SET state = ? WHERE object_key = ? AND user_id = ? AND state = ?";
            let values = [
                USED.into(),
                key.as_str().into(),
                self.user_id.into(),
                UNUSED.into(),
            ];
            if run(take, values.into()).await?.rows_affected() == 0 {
                return Err(DalError::NotFound);
            }
            if !before.is_empty() {
                let drop =
                    "UPDATE user_pictures SET state = ?, created_at = NOW(3) WHERE object_key = ?";
                run(drop, vec![DROPPED.into(), before.as_str().into()]).await?;
            }
            now.push(key.clone());
        }
        let signature = match &self.change.signature {
            Some(signature) => signature.clone(),
            None => row.try_get("", "signature")?,
        };
        let mut values: Vec<Value> = now.into_iter().map(Value::from).collect();
        values.extend([signature.into(), self.user_id.into()]);
        let set = "UPDATE users SET avatar = ?, background_image = ?, signature = ? WHERE id = ?";
        run(set, values).await?;
        Ok(Counted {
            output: (),
            deltas: Deltas::default(),
            marked: vec![Subject::User(self.user_id)],
        })
    }
}
