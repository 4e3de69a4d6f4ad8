//! What pages show of their viewers: which of the videos they like, and which of the users they follow. In one statement for many viewers.

use std::collections::{BTreeMap, HashMap};

use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};

use crate::{DalError, Db, Reader, id_list::padded};

/// What is shown to a viewer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// These videos.
    pub video_ids: Vec<i64>,
    /// These users.
    pub user_ids: Vec<i64>,
}

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

/// The flags of each viewer (the key) on what they are shown; none of who likes and follows nothing of it. One statement; no ids, no
/// statement.
pub async fn of_viewers(
    db: &Db,
    viewers: &BTreeMap<i64, Shown>,
    reader: &Reader,
) -> Result<HashMap<i64, Flags>, DalError> {
    let mut flags: HashMap<i64, Flags> = HashMap::new();
    let Some(query) = query(viewers) else {
        return Ok(flags);
    };
    for row in db.read(reader).query_all_raw(query).await? {
        let id = row.try_get("", "id")?;
        let flags = flags.entry(row.try_get("", "user_id")?).or_default();
        match row.try_get("", "kind")? {
            LIKED => flags.liked_video_ids.push(id),
            _ => flags.followed_user_ids.push(id),
        }
    }
    Ok(flags)
}

pub(crate) fn query(viewers: &BTreeMap<i64, Shown>) -> Option<Statement> {
    let mut values: Vec<Value> = Vec::new();
    let mut part = |kind: i64, ids: fn(&Shown) -> &[i64], column: &str, table: &str| {
        let condition = one_of(viewers, ids, column, &mut values)?;
        Some(format!(
            "SELECT {kind} AS kind, user_id, {column} AS id FROM {table} WHERE {condition}"
        ))
    };
    let parts = [
        part(
            LIKED,
            |shown| &shown.video_ids,
            "video_id",
            "favorites FORCE INDEX (PRIMARY)",
        ),
        part(
            FOLLOWED,
            |shown| &shown.user_ids,
            "followed_id",
            "follows FORCE INDEX (follows_pair)",
        ),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    let sql = parts.join(" UNION ALL ");
    (!parts.is_empty()).then(|| Statement::from_sql_and_values(DbBackend::MySql, sql, values))
}

/// The condition for a row to be of a viewer and of what they are shown; none where nobody is shown anything. Viewers and lists are padded
/// to powers of two, and all lists to the same, so that there are few statement texts.
fn one_of(
    viewers: &BTreeMap<i64, Shown>,
    ids: fn(&Shown) -> &[i64],
    column: &str,
    values: &mut Vec<Value>,
) -> Option<String> {
    let mut lists: Vec<(i64, Vec<i64>)> = viewers
        .iter()
        .map(|(viewer, shown)| (*viewer, padded(ids(shown))))
        .filter(|(_, ids)| !ids.is_empty())
        .collect();
    let longest = lists.iter().map(|(_, ids)| ids.len()).max()?;
    let last = lists.last().cloned()?;
    lists.resize(lists.len().next_power_of_two(), last);
    let marks = vec!["?"; longest].join(", ");
    let count = lists.len();
    for (viewer, mut ids) in lists {
        ids.resize(longest, *ids.last()?);
        values.push(viewer.into());
        values.extend(ids.into_iter().map(Value::from));
    }
    let each = format!("(user_id = ? AND {column} IN ({marks}))");
    Some(vec![each; count].join(" OR "))
}
