//! For many viewers at once: which of the given videos each likes, and which of the given users each follows.
//!
//! Each statement text is kept prepared by every connection and takes memory of the server, half a KiB a placeholder. So viewers whose lists
//! are about as long share a statement, there are few lengths, and a statement has a limited number of placeholders: 72 texts at most.

use std::collections::{BTreeMap, HashMap};

use futures::future::try_join_all;
use sea_orm::{ConnectionTrait, DbBackend, Statement, Value};

use crate::{DalError, Db, Reader, id_list::distinct};

/// To these lengths lists are padded. Whoever is shown more is in several statements.
const LENGTHS: [usize; 4] = [1, 8, 32, MAX_LENGTH];
const MAX_LENGTH: usize = 128;
/// Placeholders for ids of one kind in a statement, at most: a feed page of 32 viewers.
const MAX_PLACEHOLDERS: usize = 1024;
/// Viewers in a statement, at most.
const MAX_VIEWERS: usize = 64;

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

/// The flags of each viewer (the key) on what they are shown; none of who likes and follows nothing of it. One statement for all who are
/// shown about as much; no ids, no statement.
pub async fn of_viewers(
    db: &Db,
    viewers: &BTreeMap<i64, Shown>,
    reader: &Reader,
) -> Result<HashMap<i64, Flags>, DalError> {
    let read = queries(viewers)
        .into_iter()
        .map(|query| async move { db.read(reader).query_all_raw(query).await });
    let mut flags: HashMap<i64, Flags> = HashMap::new();
    for row in try_join_all(read).await?.into_iter().flatten() {
        let id = row.try_get("", "id")?;
        let flags = flags.entry(row.try_get("", "user_id")?).or_default();
        match row.try_get("", "kind")? {
            LIKED => flags.liked_video_ids.push(id),
            _ => flags.followed_user_ids.push(id),
        }
    }
    Ok(flags)
}

/// What decides a statement's text, but for the number of its viewers.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Shape {
    /// To which the lists are padded.
    length: usize,
    has_videos: bool,
    has_users: bool,
}

/// A viewer and sorted ids of each kind, no more than the longest list has.
type Part = (i64, Vec<i64>, Vec<i64>);

pub(crate) fn queries(viewers: &BTreeMap<i64, Shown>) -> Vec<Statement> {
    let mut shapes: BTreeMap<Shape, Vec<Part>> = BTreeMap::new();
    for (viewer, shown) in viewers {
        let (videos, users) = (distinct(&shown.video_ids), distinct(&shown.user_ids));
        let (mut videos, mut users) = (videos.chunks(MAX_LENGTH), users.chunks(MAX_LENGTH));
        loop {
            let (videos, users) = (videos.next(), users.next());
            let (videos, users) = (videos.unwrap_or_default(), users.unwrap_or_default());
            let longest = videos.len().max(users.len());
            if longest == 0 {
                break;
            }
            let length = LENGTHS.into_iter().find(|length| *length >= longest);
            let shape = Shape {
                length: length.unwrap_or(MAX_LENGTH),
                has_videos: !videos.is_empty(),
                has_users: !users.is_empty(),
            };
            let part = (*viewer, videos.to_vec(), users.to_vec());
            shapes.entry(shape).or_default().push(part);
        }
    }
    let of_shape = |(shape, parts): (Shape, Vec<Part>)| {
        let max_viewers = (MAX_PLACEHOLDERS / shape.length).min(MAX_VIEWERS);
        let parts = parts.chunks(max_viewers);
        parts.map(|parts| query(&shape, parts)).collect::<Vec<_>>()
    };
    shapes.into_iter().flat_map(of_shape).collect()
}

/// Viewers are padded to a power of two.
fn query(shape: &Shape, parts: &[Part]) -> Statement {
    let viewers = parts.len().next_power_of_two();
    let mut values: Vec<Value> = Vec::new();
    let mut select = |kind: i64, column: &str, table: &str, ids: fn(&Part) -> &[i64]| {
        let each = vec!["?"; shape.length].join(", ");
        let each = format!("(user_id = ? AND {column} IN ({each}))");
        let last = parts.last();
        for part in parts.iter().chain(last.into_iter().cycle()).take(viewers) {
            values.push(part.0.into());
            let ids = ids(part).iter();
            let padding = ids.clone().next_back().into_iter().cycle();
            values.extend(ids.chain(padding).take(shape.length).map(|id| (*id).into()));
        }
        let condition = vec![each; viewers].join(" OR ");
        format!("SELECT {kind} AS kind, user_id, {column} AS id FROM {table} WHERE {condition}")
    };
    let mut selects = Vec::new();
    if shape.has_videos {
        let table = "favorites FORCE INDEX (PRIMARY)";
        selects.push(select(LIKED, "video_id", table, |(_, videos, _)| videos));
    }
    if shape.has_users {
        let table = "follows FORCE INDEX (follows_pair)";
        selects.push(select(FOLLOWED, "followed_id", table, |(_, _, users)| {
            users
        }));
    }
    Statement::from_sql_and_values(DbBackend::MySql, selects.join(" UNION ALL "), values)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};

    use super::*;

    fn shown(videos: i64, users: i64) -> Shown {
        Shown {
            video_ids: (1..=videos).collect(),
            user_ids: (1..=users).collect(),
        }
    }

    #[test]
    fn whoever_is_shown_about_as_much_shares_a_statement() {
        let viewers = (1..=30).map(|viewer| (viewer, shown(20 + viewer % 10, 10)));
        assert_eq!(queries(&viewers.collect()).len(), 1);
        let mut two = BTreeMap::from([(1, shown(30, 30)), (2, shown(30, 30))]);
        assert_eq!(queries(&two).len(), 1);
        two.insert(3, shown(0, 1));
        assert_eq!(queries(&two).len(), 2);
        assert!(queries(&BTreeMap::from([(1, shown(0, 0))])).is_empty());
    }

    #[test]
    fn the_server_keeps_few_statements_and_none_is_large() {
        let lengths = [0, 1, 2, 8, 9, 30, 32, 33, 128, 129, 300];
        let mut texts = HashSet::new();
        for viewers in 1..=64 {
            for videos in lengths {
                for users in lengths {
                    let viewers = (1..=viewers).map(|viewer| (viewer, shown(videos, users)));
                    for query in queries(&viewers.collect()) {
                        let values = query.values.map_or(0, |values| values.0.len());
                        assert!(values <= 2 * (MAX_PLACEHOLDERS + MAX_VIEWERS), "{values}");
                        assert_eq!(query.sql.matches('?').count(), values);
                        texts.insert(query.sql);
                    }
                }
            }
        }
        assert_eq!(texts.len(), 72);
    }

    #[test]
    fn every_id_is_asked_for_and_only_with_its_own_viewer() {
        let viewers = BTreeMap::from([(1, shown(300, 2)), (7, shown(2, 0)), (9, shown(1, 2))]);
        let mut asked: BTreeMap<i64, BTreeSet<i64>> = BTreeMap::new();
        for query in queries(&viewers) {
            let values = query.values.unwrap_or(sea_orm::Values(Vec::new())).0;
            let values: Vec<i64> = values
                .into_iter()
                .map(|value| value.unwrap::<i64>())
                .collect();
            let places = 1 + query
                .sql
                .split("IN (")
                .nth(1)
                .unwrap()
                .split(')')
                .next()
                .unwrap()
                .matches('?')
                .count();
            for list in values.chunks(places) {
                asked.entry(list[0]).or_default().extend(&list[1..]);
            }
        }
        assert_eq!(asked[&1], (1..=300).collect());
        assert_eq!(asked[&7], BTreeSet::from([1, 2]));
        assert_eq!(asked[&9], BTreeSet::from([1, 2]));
    }
}
