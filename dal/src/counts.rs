//! The counters that exist, and their exact values at any moment.
//!
//! The table `counters` has what was folded, `ledger` what was committed since, in its last two generations (`fold::low_water_mark`; 0: of
//! older processes). All are read in one statement, so in one snapshot, and a fold moves deltas from one to the other in one transaction. So their sum is exact, also during a fold.

use std::collections::{BTreeMap, HashMap};

use marks::Commit;
use sea_orm::{
    ConnectionTrait, DbBackend, DbErr, QueryResult, Statement, Value,
    sea_query::{Expr, SimpleExpr},
};

use crate::{DalError, Db, gtid::Dialect, id_list, position};

/// A kind and an id that nobody has. Counters of one kind are read beside it: otherwise the kind is an equality, and the optimizer may read
/// by that alone, over everything of the kind.
const NOBODY: (i8, i64) = (0, -1);

/// A counter, with the id of its video or user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Counter {
    /// Likes of a video.
    VideoFavorites(i64),
    /// Comments under a video.
    VideoComments(i64),
    /// Likes that the videos of a user have received.
    UserFavorited(i64),
    /// Videos that a user likes.
    UserFavorites(i64),
    /// Videos that a user has published.
    UserWorks(i64),
    /// Users whom a user follows.
    UserFollows(i64),
    /// Users who follow a user.
    UserFollowers(i64),
}

impl Counter {
    /// As the tables have it: `kind` and `target_id`.
    pub(crate) fn parts(self) -> (i8, i64) {
        match self {
            Self::VideoFavorites(id) => (1, id),
            Self::VideoComments(id) => (2, id),
            Self::UserFavorited(id) => (3, id),
            Self::UserFavorites(id) => (4, id),
            Self::UserWorks(id) => (5, id),
            Self::UserFollows(id) => (6, id),
            Self::UserFollowers(id) => (7, id),
        }
    }

    /// The inverse of [`Self::parts`].
    pub(crate) fn from_parts(kind: i8, target_id: i64) -> Option<Self> {
        Some(match kind {
            1 => Self::VideoFavorites(target_id),
            2 => Self::VideoComments(target_id),
            3 => Self::UserFavorited(target_id),
            4 => Self::UserFavorites(target_id),
            5 => Self::UserWorks(target_id),
            6 => Self::UserFollows(target_id),
            7 => Self::UserFollowers(target_id),
            _ => return None,
        })
    }
}

/// What is counted of a user.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UserCounts {
    /// Likes that the user's videos have received.
    pub total_favorited: i64,
    /// Videos that the user likes.
    pub favorite_count: i64,
    /// Videos that the user has published.
    pub work_count: i64,
    /// Users whom the user follows.
    pub follow_count: i64,
    /// Users who follow the user.
    pub follower_count: i64,
}

impl UserCounts {
    /// The counters that they consist of.
    pub fn counters(user_id: i64) -> [Counter; 5] {
        [
            Counter::UserFavorited(user_id),
            Counter::UserFavorites(user_id),
            Counter::UserWorks(user_id),
            Counter::UserFollows(user_id),
            Counter::UserFollowers(user_id),
        ]
    }

    /// Those of a user, of what was read; 0 for what wasn't.
    pub fn of(user_id: i64, values: &HashMap<Counter, i64>) -> Self {
        let value = |counter| values.get(&counter).copied().unwrap_or_default();
        let [
            total_favorited,
            favorite_count,
            work_count,
            follow_count,
            follower_count,
        ] = Self::counters(user_id).map(value);
        Self {
            total_favorited,
            favorite_count,
            work_count,
            follow_count,
            follower_count,
        }
    }
}

/// The exact values of these counters on the primary, with every acknowledged write. All of them are in the answer, 0 if nothing was
/// counted. One statement, so one snapshot; without counters none. [`DalError::Overloaded`] when too many are read at once.
pub async fn exact(db: &Db, counters: &[Counter]) -> Result<HashMap<Counter, i64>, DalError> {
    Ok(exact_on(&db.read_exact_counts(), counters).await?)
}

/// [`exact`] on this session: as of what its server has, which on a replica may lack the newest commits.
pub(crate) async fn exact_on<C: ConnectionTrait>(
    session: &C,
    counters: &[Counter],
) -> Result<HashMap<Counter, i64>, DbErr> {
    if counters.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = session.query_all_raw(parts(counters, "")).await?;
    values(counters, &rows)
}

/// The last commit of `session` (none on a server without GTIDs), and the exact values as of that commit or later. The commit has changed at
/// least one of these counters.
pub(crate) async fn after_commit<C: ConnectionTrait>(
    db: &Db,
    session: &C,
    counters: &[Counter],
) -> Result<(Option<Commit>, HashMap<Counter, i64>), DbErr> {
    let dialect = db.dialect(session).await?;
    if dialect == Dialect::MySql {
        // Not in one statement: its position could be newer than its snapshot, and so claim a commit that the values lack.
        let commit = position::last_commit(db, session).await?;
        return Ok((commit, exact_on(session, counters).await?));
    }
    let position = format!("{} AS position, ", dialect.last_commit());
    let rows = session.query_all_raw(parts(counters, &position)).await?;
    Ok((dialect.commit(rows.first())?, values(counters, &rows)?))
}

/// The sums of the rows of [`parts`].
pub(crate) fn values(
    counters: &[Counter],
    rows: &[QueryResult],
) -> Result<HashMap<Counter, i64>, DbErr> {
    let mut values: HashMap<Counter, i64> = counters.iter().map(|c| (*c, 0)).collect();
    for row in rows {
        let kind = row.try_get("", "kind")?;
        if let Some(counter) = Counter::from_parts(kind, row.try_get("", "target_id")?) {
            let value = values.entry(counter).or_default();
            *value = value.saturating_add(row.try_get("", "value")?);
        }
    }
    Ok(values)
}

/// The value of a counter at the last fold, as a column of a query whose column `id` has the counter's id. Costs one row by primary key.
pub(crate) fn folded(counter: fn(i64) -> Counter, id: &'static str) -> SimpleExpr {
    let (kind, _) = counter(0).parts();
    Expr::cust(format!(
        "COALESCE((SELECT value FROM counters WHERE kind = {kind} AND target_id = {id}), 0)"
    ))
}

/// The statement: up to two rows for each counter, to be added up, with `columns` in front. The indexes are forced because the optimizer's
/// statistics of the ledger, which is empty at one moment and long at the next, are useless.
pub(crate) fn parts(counters: &[Counter], columns: &str) -> Statement {
    let (condition, values) = one_of(counters);
    let sql = both_parts(&condition, columns);
    let twice = values.iter().chain(&values).cloned();
    Statement::from_sql_and_values(DbBackend::MySql, sql, twice.collect::<Vec<Value>>())
}

/// The same as text, to be sent together with other statements.
pub(crate) fn parts_text(counters: &[Counter], columns: &str) -> String {
    let conditions: Vec<String> = by_kind(counters)
        .into_iter()
        .map(|(kind, ids)| {
            let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
            format!("(kind = {kind} AND target_id IN ({}))", ids.join(", "))
        })
        .collect();
    both_parts(&format!("({})", conditions.join(" OR ")), columns)
}

fn both_parts(condition: &str, columns: &str) -> String {
    format!(
        "SELECT {columns}kind, target_id, value FROM counters FORCE INDEX (PRIMARY) WHERE {condition} \
         UNION ALL \
         SELECT {columns}kind, target_id, CAST(SUM(delta) AS SIGNED) FROM folder \
         JOIN ledger FORCE INDEX (ledger_target) ON ledger.generation IN (0, folder.generation - 1, folder.generation) \
         WHERE folder.id = 1 AND {condition} GROUP BY kind, target_id"
    )
}

fn by_kind(counters: &[Counter]) -> BTreeMap<i8, Vec<i64>> {
    let mut by_kind: BTreeMap<i8, Vec<i64>> = BTreeMap::new();
    for (kind, id) in counters.iter().map(|counter| counter.parts()) {
        by_kind.entry(kind).or_default().push(id);
    }
    if by_kind.len() == 1 {
        let (kind, id) = NOBODY;
        by_kind.insert(kind, vec![id]);
    }
    by_kind
}

/// The condition for a row to be of one of these counters, and its values. All lists of ids have the same length, a power of two, so that
/// there are few statement texts.
fn one_of(counters: &[Counter]) -> (String, Vec<Value>) {
    let lists: Vec<(i8, Vec<i64>)> = by_kind(counters)
        .into_iter()
        .map(|(kind, ids)| (kind, id_list::padded(&ids)))
        .collect();
    let length = lists.iter().map(|(_, ids)| ids.len()).max().unwrap_or(0);
    let marks = vec!["?"; length].join(", ");
    let condition =
        vec![format!("(kind = ? AND target_id IN ({marks}))"); lists.len()].join(" OR ");
    let mut values = Vec::new();
    for (kind, ids) in lists {
        values.push(kind.into());
        let filling = ids.last().copied().unwrap_or_default();
        let fill = std::iter::repeat_n(filling, length.saturating_sub(ids.len()));
        values.extend(ids.iter().copied().chain(fill).map(Value::from));
    }
    (format!("({condition})"), values)
}
