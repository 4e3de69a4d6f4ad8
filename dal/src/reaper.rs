//! The reaper's state between its passes: the bucket that belongs to this database, how far it has looked in it, and the objects without a
//! row, with the time when each was first seen.
//!
//! All reads are on the primary, because they decide what is deleted. Writers hold the reaper's lock.

use std::{collections::HashSet, time::Duration};

use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, QuerySelect, Statement, Value};

use crate::{DalError, Db, entity::video, id_list, uploads, videos};

const NOW_MS: &str = "CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)";

/// The bucket that this database is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The content of the bucket's marker object.
    pub marker: String,
    /// Whether the marker was stored. If not, the process that bound them was killed before.
    pub is_complete: bool,
}

/// The bucket that this database is bound to, if there is one.
pub async fn binding(db: &Db) -> Result<Option<Binding>, DalError> {
    let sql = "SELECT marker, bound_ms FROM bucket WHERE id = 1";
    let rows = read(db, sql, []).await?;
    let binding = rows.first().map(|row| {
        Ok::<_, DbErr>(Binding {
            marker: row.try_get("", "marker")?,
            is_complete: row.try_get::<i64>("", "bound_ms")? > 0,
        })
    });
    Ok(binding.transpose()?)
}

/// Notes the marker that is about to be stored; it replaces any other.
pub async fn begin_binding(db: &Db, marker: &str) -> Result<(), DalError> {
    let sql = "INSERT INTO bucket (id, marker, bound_ms) VALUES (1, ?, 0) \
               ON DUPLICATE KEY UPDATE marker = ?, bound_ms = 0";
    write(db, sql, [marker.into(), marker.into()]).await?;
    Ok(())
}

/// Notes that the marker is stored.
pub async fn finish_binding(db: &Db) -> Result<(), DalError> {
    let sql = format!("UPDATE bucket SET bound_ms = {NOW_MS} WHERE id = 1");
    write(db, &sql, []).await?;
    Ok(())
}

/// The scan cursor: all objects under `prefix` up to this key were checked. Empty: none.
pub async fn scan_cursor(db: &Db, prefix: &str) -> Result<String, DalError> {
    let sql = "SELECT object_key FROM reaper_watermarks WHERE prefix = ?";
    let rows = read(db, sql, [prefix.into()]).await?;
    let key = rows.first().map(|row| row.try_get("", "object_key"));
    Ok(key.transpose()?.unwrap_or_default())
}

/// Advances the scan cursor.
pub async fn set_scan_cursor(db: &Db, prefix: &str, object_key: &str) -> Result<(), DalError> {
    let sql = "INSERT INTO reaper_watermarks (prefix, object_key) VALUES (?, ?) \
               ON DUPLICATE KEY UPDATE object_key = ?";
    write(
        db,
        sql,
        [prefix.into(), object_key.into(), object_key.into()],
    )
    .await?;
    Ok(())
}

/// Notes objects without a row, and returns how many are new. An object that is noted already keeps the time when it was first seen.
pub async fn record_unknown(db: &Db, object_keys: &[String]) -> Result<u64, DalError> {
    if object_keys.is_empty() {
        return Ok(0);
    }
    // Padding repeats a key, which changes nothing; so there are few statement texts.
    let keys = id_list::padded(object_keys);
    let rows = vec![format!("(?, {NOW_MS})"); keys.len()].join(", ");
    let sql =
        format!("INSERT IGNORE INTO unknown_objects (object_key, first_seen_ms) VALUES {rows}");
    write(db, &sql, keys.into_iter().map(Value::from)).await
}

/// At most `limit` objects that were first seen at least `age` ago, the oldest first.
pub async fn unknown_since(db: &Db, age: Duration, limit: u64) -> Result<Vec<String>, DalError> {
    let age_ms = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
    let rows = db
        .read_own_writes()
        .query_all_raw(first_seen_before(age_ms, limit))
        .await?;
    let keys = rows.iter().map(|row| row.try_get("", "object_key"));
    Ok(keys.collect::<Result<_, _>>()?)
}

pub(crate) fn first_seen_before(age_ms: i64, limit: u64) -> Statement {
    let sql = format!(
        "SELECT object_key FROM unknown_objects WHERE first_seen_ms <= {NOW_MS} - ? \
         ORDER BY first_seen_ms, object_key LIMIT ?"
    );
    Statement::from_sql_and_values(DbBackend::MySql, sql, [age_ms.into(), limit.into()])
}

/// Removes the notes of objects that were deleted, or that have a row after all.
pub async fn forget_unknown(db: &Db, object_keys: &[String]) -> Result<(), DalError> {
    if object_keys.is_empty() {
        return Ok(());
    }
    let keys = id_list::padded(object_keys);
    let marks = vec!["?"; keys.len()].join(", ");
    let sql = format!("DELETE FROM unknown_objects WHERE object_key IN ({marks})");
    write(db, &sql, keys.into_iter().map(Value::from)).await?;
    Ok(())
}

/// How many objects are noted. Reads all their rows.
pub async fn unknown_count(db: &Db) -> Result<u64, DalError> {
    count(db, "SELECT COUNT(*) AS counted FROM unknown_objects", []).await
}

/// How many videos there are, as far as `max`: only so many rows are read.
pub async fn count_videos(db: &Db, max: u64) -> Result<u64, DalError> {
    let sql = "SELECT COUNT(*) AS counted FROM (SELECT 1 FROM videos LIMIT ?) AS some_videos";
    count(db, sql, [max.into()]).await
}

async fn count<const N: usize>(db: &Db, sql: &str, values: [Value; N]) -> Result<u64, DalError> {
    let rows = read(db, sql, values).await?;
    let row = rows.first().ok_or(DalError::NotFound)?;
    let counted: i64 = row.try_get("", "counted")?;
    Ok(counted.unsigned_abs())
}

/// Those of these keys that an upload or a video has. Reads the uploads first, because a publish moves a key from there to the videos. A key
/// that goes the other way, when something takes its place, is removed from there.
pub async fn known(db: &Db, object_keys: &[String]) -> Result<HashSet<String>, DalError> {
    if object_keys.is_empty() {
        return Ok(HashSet::new());
    }
    let keys = id_list::padded(object_keys);
    let primary = db.read_own_writes();
    let of_uploads: Vec<String> = uploads::with_keys(keys.clone())
        .into_tuple()
        .all(&primary)
        .await?;
    let of_videos = videos::with_object_keys(keys.clone())
        .select_only()
        .column(video::Column::ObjectKey);
    let of_videos: Vec<String> = of_videos.into_tuple().all(&primary).await?;
    let originals = videos::with_original_keys(keys)
        .select_only()
        .column(video::Column::OriginalKey);
    let originals: Vec<String> = originals.into_tuple().all(&primary).await?;
    let known = of_uploads.into_iter().chain(of_videos).chain(originals);
    Ok(known.collect())
}

async fn read(
    db: &Db,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<Vec<QueryResult>, DbErr> {
    let statement = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
    db.read_own_writes().query_all_raw(statement).await
}

async fn write(
    db: &Db,
    sql: &str,
    values: impl IntoIterator<Item = Value>,
) -> Result<u64, DalError> {
    let statement = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
    Ok(db.write().execute_raw(statement).await?.rows_affected())
}
