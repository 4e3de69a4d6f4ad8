//! What a page of videos shows of its viewer: which of the videos they like, and which of their authors they follow. In one statement, so
//! that a page costs one for both.

use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};

use crate::{DalError, Db, Reader, id_list::padded};

/// In no particular order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    /// Those of the videos that the viewer likes.
    pub liked_video_ids: Vec<i64>,
    /// Those of the users whom the viewer follows.
    pub followed_user_ids: Vec<i64>,
}

/// Kinds of rows in the answer.
const LIKED: i64 = 1;
const FOLLOWED: i64 = 2;

/// Of these videos and users. One statement; no ids, no statement.
pub async fn of_viewer(
    db: &Db,
    viewer_id: i64,
    video_ids: &[i64],
    user_ids: &[i64],
    reader: &Reader,
) -> Result<Flags, DalError> {
    let mut flags = Flags::default();
    let Some(query) = query(viewer_id, video_ids, user_ids) else {
        return Ok(flags);
    };
    for row in db.read(reader).query_all_raw(query).await? {
        let id = row.try_get("", "id")?;
        match row.try_get("", "kind")? {
            LIKED => flags.liked_video_ids.push(id),
            _ => flags.followed_user_ids.push(id),
        }
    }
    Ok(flags)
}

pub(crate) fn query(viewer_id: i64, video_ids: &[i64], user_ids: &[i64]) -> Option<Statement> {
    let mut values: Vec<Value> = Vec::new();
    let mut part = |kind: i64, ids: &[i64], column: &str, table: &str| {
        let ids = padded(ids);
        let marks = vec!["?"; ids.len()].join(", ");
        values.push(viewer_id.into());
        values.extend(ids.into_iter().map(Value::from));
        format!(
            "SELECT {kind} AS kind, {column} AS id FROM {table} WHERE user_id = ? AND {column} IN ({marks})"
        )
    };
    let mut parts = Vec::new();
    if !video_ids.is_empty() {
        let table = "favorites FORCE INDEX (PRIMARY)";
        parts.push(part(LIKED, video_ids, "video_id", table));
    }
    if !user_ids.is_empty() {
        let table = "follows FORCE INDEX (follows_pair)";
        parts.push(part(FOLLOWED, user_ids, "followed_id", table));
    }
    let sql = parts.join(" UNION ALL ");
    (!parts.is_empty()).then(|| Statement::from_sql_and_values(DbBackend::MySql, sql, values))
}
