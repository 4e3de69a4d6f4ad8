//! Idempotency keys: a write with a key records it, with the result, in its own transaction, so that a client without an answer may retry.
//!
//! The unique key of the table decides. Of two requests with the same key one commits. The other waits for that commit, finds the key
//! taken, rolls back and returns the first result. A key lives for at least 24 h; [`forget_old`] deletes it later.

use std::{fmt::Write as _, time::Duration};

use marks::Subject;
use sea_orm::{
    ActiveValue::Set, ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, DerivePartialModel,
    EntityTrait, QueryResult, Select, Statement,
};
use sha2::{Digest as _, Sha256};

use crate::{
    DalError, Db,
    counters::Counters,
    db::Transaction,
    entity::idempotency_key::{ActiveModel, Entity},
    ledger::{self, Counted, Deltas},
};

/// How long a key lives at least.
const KEY_TTL: Duration = Duration::from_secs(24 * 60 * 60);

/// The kind of request; the same text may be a key of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A publish; the result is a video.
    Publish,
    /// A comment.
    Comment,
    /// A message.
    Message,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Comment => "comment",
            Self::Message => "message",
        }
    }
}

/// A client's key with a digest of the request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    user_id: i64,
    kind: Kind,
    key: String,
    fingerprint: String,
}

/// The result of the first request with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct First {
    /// Id of the row that it created.
    pub id: i64,
    /// When; UTC, by the primary's clock.
    pub created_ms: i64,
}

#[derive(DerivePartialModel)]
#[sea_orm(entity = "Entity")]
pub(crate) struct Recorded {
    fingerprint: String,
    result_id: i64,
    created_ms: i64,
}

impl Key {
    /// `key`: 1 to 255 printable characters of ASCII. Two requests are the same if their `content` is;
    /// only a digest of it is kept.
    pub fn new(user_id: i64, kind: Kind, key: &str, content: &[&str]) -> Self {
        let mut digest = Sha256::new();
        for part in content {
            // With its length, so that "ab", "c" differs from "a", "bc".
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        Self {
            user_id,
            kind,
            key: key.to_owned(),
            fingerprint: hex(&digest.finalize()),
        }
    }

    /// A row for [`insert`]; `id` and `created_ms` are SQL expressions.
    pub(crate) fn row(&self, id: &str, created_ms: &str) -> String {
        let (user_id, kind, fingerprint) = (self.user_id, self.kind.word(), &self.fingerprint);
        let key = hex(self.key.as_bytes());
        format!("({user_id}, '{kind}', X'{key}', '{fingerprint}', {id}, {created_ms})")
    }

    /// The result of the first request with this key, if `row`, of [`find`], is this key's. [`DalError::KeyReused`] if it had other
    /// content.
    pub(crate) fn first_in(
        &self,
        row: &QueryResult,
    ) -> Result<Option<Result<First, DalError>>, DbErr> {
        let user_id: i64 = row.try_get("", "user_id")?;
        let key: String = row.try_get("", "idempotency_key")?;
        let kind: String = row.try_get("", "kind")?;
        if (user_id, key.as_str(), kind.as_str()) != (self.user_id, &self.key, self.kind.word()) {
            return Ok(None);
        }
        let fingerprint: String = row.try_get("", "fingerprint")?;
        if fingerprint != self.fingerprint {
            return Ok(Some(Err(DalError::KeyReused)));
        }
        Ok(Some(Ok(First {
            id: row.try_get("", "result_id")?,
            created_ms: row.try_get("", "created_ms")?,
        })))
    }

    /// Records the result of the request in its transaction. [`DalError::Duplicate`] if another request with this key was first: then the
    /// transaction must be rolled back.
    pub(crate) async fn record(
        &self,
        transaction: &DatabaseTransaction,
        made: First,
    ) -> Result<(), DalError> {
        let row = ActiveModel {
            user_id: Set(self.user_id),
            kind: Set(self.kind.word().to_owned()),
            idempotency_key: Set(self.key.clone()),
            fingerprint: Set(self.fingerprint.clone()),
            result_id: Set(made.id),
            created_ms: Set(made.created_ms),
        };
        Entity::insert(row)
            .exec_without_returning(transaction)
            .await?;
        Ok(())
    }

    /// The result of the first request with this key, if there was one. [`DalError::KeyReused`] if it had other content. Marks `marked`: the
    /// process that made the result may have been killed before it set the marks.
    pub(crate) async fn first(
        &self,
        db: &Db,
        counters: &Counters,
        marked: Vec<Subject>,
    ) -> Result<Option<First>, DalError> {
        let key = self.clone();
        ledger::commit(db, counters, Repeat { key, marked }).await
    }
}

/// The statement that records keys, each a [`Key::row`], as text; none for no rows.
pub(crate) fn insert(rows: impl Iterator<Item = String>) -> Option<String> {
    let rows: Vec<String> = rows.collect();
    let insert = format!(
        "INSERT INTO idempotency_keys (user_id, kind, idempotency_key, fingerprint, result_id, created_ms) VALUES {}",
        rows.join(", ")
    );
    (!rows.is_empty()).then_some(insert)
}

/// The statement that finds these keys, as text; none for no keys.
pub(crate) fn find<'k>(keys: impl Iterator<Item = &'k Key>) -> Option<String> {
    let conditions: Vec<String> = keys
        .map(|Key { user_id, kind, key, .. }| {
            let (kind, key) = (kind.word(), hex(key.as_bytes()));
            format!("(user_id = {user_id} AND kind = '{kind}' AND idempotency_key = _ascii X'{key}')")
        })
        .collect();
    let find = format!(
        "SELECT user_id, kind, idempotency_key, fingerprint, result_id, created_ms FROM idempotency_keys WHERE {}",
        conditions.join(" OR ")
    );
    (!conditions.is_empty()).then_some(find)
}

/// Hexadecimal digits: what a user wrote can't end a literal `X'…'`.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut digits = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string can't fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

/// Finds the first result, as a transaction that changes nothing.
struct Repeat {
    key: Key,
    marked: Vec<Subject>,
}

impl Transaction for Repeat {
    type Output = Counted<Option<First>>;

    async fn run(&self, transaction: &DatabaseTransaction) -> Result<Self::Output, DalError> {
        let Key {
            user_id,
            kind,
            key,
            fingerprint,
        } = &self.key;
        let first = recorded(*user_id, *kind, key)
            .into_partial_model::<Recorded>()
            .one(transaction)
            .await?;
        if first
            .as_ref()
            .is_some_and(|first| first.fingerprint != *fingerprint)
        {
            return Err(DalError::KeyReused);
        }
        let marked = first.as_ref().map(|_| self.marked.clone());
        Ok(Counted {
            output: first.map(|first| First {
                id: first.result_id,
                created_ms: first.created_ms,
            }),
            deltas: Deltas::default(),
            marked: marked.unwrap_or_default(),
        })
    }
}

pub(crate) fn recorded(user_id: i64, kind: Kind, key: &str) -> Select<Entity> {
    Entity::find_by_id((user_id, kind.word().to_owned(), key.to_owned()))
}

/// Deletes at most `limit` expired keys, the oldest first; returns how many.
pub async fn forget_old(db: &Db, limit: u64) -> Result<u64, DalError> {
    let ttl_ms = i64::try_from(KEY_TTL.as_millis()).unwrap_or(i64::MAX);
    let statement = Statement::from_sql_and_values(
        DbBackend::MySql,
        "DELETE FROM idempotency_keys WHERE created_ms < CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED) - ? \
         ORDER BY created_ms LIMIT ?",
        [ttl_ms.into(), limit.into()],
    );
    Ok(db.write().execute_raw(statement).await?.rows_affected())
}
