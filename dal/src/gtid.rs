//! GTIDs, the names of commits, in the dialects of MariaDB and MySQL: sets of them, and the SQL that asks a server for its own.

use std::collections::BTreeMap;

use marks::Commit;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, QueryResult, Statement};
use tokio::sync::OnceCell;

use crate::error;

/// The dialect of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    MariaDb,
    MySql,
}

/// All commits; empty if new ones get no GTIDs, because then only old ones would be in the set.
const MYSQL_COMMITS: &str = "IF(@@global.gtid_mode LIKE 'ON%', @@global.gtid_executed, '')";

impl Dialect {
    /// Of a server with this version text.
    pub(crate) fn of_version(version: &str) -> Self {
        if version.contains("MariaDB") {
            Self::MariaDb
        } else {
            Self::MySql
        }
    }

    /// The expression for the last commit of a session.
    pub(crate) fn last_commit(self) -> &'static str {
        match self {
            Self::MariaDb => "@@last_gtid",
            // It grows when a commit becomes visible: it has at least this session's own commit and no invisible one.
            Self::MySql => MYSQL_COMMITS,
        }
    }

    /// The expression for all commits of a primary; with MariaDB also those that wait for a replica and aren't visible yet.
    pub(crate) fn newest(self) -> &'static str {
        match self {
            Self::MariaDb => "@@global.gtid_binlog_pos",
            Self::MySql => MYSQL_COMMITS,
        }
    }

    /// The expression for all commits of a replica.
    pub(crate) fn applied(self) -> &'static str {
        match self {
            Self::MariaDb => "@@global.gtid_slave_pos",
            Self::MySql => "@@global.gtid_executed",
        }
    }

    /// The statement that waits on a replica for a commit. Values: the GTID, and the limit in seconds. Column `late`: 0 if the commit is there.
    pub(crate) fn wait(self) -> &'static str {
        match self {
            Self::MariaDb => "SELECT CAST(MASTER_GTID_WAIT(?, ?) AS SIGNED) AS late",
            Self::MySql => "SELECT CAST(WAIT_FOR_EXECUTED_GTID_SET(?, ?) AS SIGNED) AS late",
        }
    }

    /// The settings that a server without GTIDs lacks.
    pub(crate) fn to_have_gtids(self) -> &'static str {
        match self {
            Self::MariaDb => "log_bin (and server_id) must be set on it",
            Self::MySql => "gtid_mode = ON and enforce_gtid_consistency = ON must be set on it",
        }
    }

    /// The commit that `expression` gives in this session; `None` if it is empty, as on a server without GTIDs.
    pub(crate) async fn query<C: ConnectionTrait>(
        self,
        session: &C,
        expression: &str,
    ) -> Result<Option<Commit>, DbErr> {
        let sql = format!("SELECT {expression} AS position");
        let statement = Statement::from_string(DbBackend::MySql, sql);
        match session.query_one_raw(statement).await {
            // Another engine with MySQL's protocol.
            Err(error) if error::is_unknown_variable(&error) => Ok(None),
            row => self.commit(row?.as_ref()),
        }
    }

    /// The commit in the column `position` of a row.
    pub(crate) fn commit(self, row: Option<&QueryResult>) -> Result<Option<Commit>, DbErr> {
        let text: Option<Option<String>> =
            row.map(|row| row.try_get("", "position")).transpose()?;
        Ok(text.flatten().and_then(|text| self.parse(&text)))
    }

    fn parse(self, text: &str) -> Option<Commit> {
        let gtid: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let seq = Gtids::parse(self, &gtid).seq();
        (seq > 0).then_some(Commit { seq, gtid })
    }
}

/// The dialect of all servers of this process; `session` is asked the first time.
pub(crate) async fn known_dialect<C: ConnectionTrait>(
    known: &OnceCell<Dialect>,
    session: &C,
) -> Result<Dialect, DbErr> {
    let query = async || {
        let sql = "SELECT VERSION() AS version";
        let statement = Statement::from_string(DbBackend::MySql, sql);
        let row = session.query_one_raw(statement).await?;
        let version: Option<String> = row.map(|row| row.try_get("", "version")).transpose()?;
        Ok(Dialect::of_version(&version.unwrap_or_default()))
    };
    known.get_or_try_init(query).await.copied()
}

/// A set of commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Gtids {
    /// By domain, everything up to a sequence number.
    MariaDb(BTreeMap<u32, u64>),
    /// By source (and tag), intervals in order, both ends included.
    MySql(BTreeMap<String, Vec<(u64, u64)>>),
}

impl Gtids {
    /// Reads "domain-server-sequence, …" or "uuid:1-5:7,uuid:tag:1-3, …". What can't be read is left out.
    pub(crate) fn parse(dialect: Dialect, text: &str) -> Self {
        match dialect {
            Dialect::MariaDb => Self::MariaDb(text.split(',').filter_map(mariadb_gtid).collect()),
            Dialect::MySql => {
                let mut sets = BTreeMap::new();
                for set in text.split(',') {
                    add_mysql_set(set.trim(), &mut sets);
                }
                Self::MySql(sets)
            }
        }
    }

    /// A number that grows with the state of a server: the greater of two is the later one.
    pub(crate) fn seq(&self) -> u64 {
        match self {
            // All commits are in one domain: there is one primary at a time, and its successor continues its sequence.
            Self::MariaDb(domains) => domains.values().copied().max().unwrap_or(0),
            Self::MySql(sets) => sets
                .values()
                .flatten()
                .map(|(first, last)| last.saturating_sub(*first).saturating_add(1))
                .fold(0, u64::saturating_add),
        }
    }

    /// Whether all of `others` are in it.
    pub(crate) fn covers(&self, others: &Self) -> bool {
        match (self, others) {
            (Self::MariaDb(mine), Self::MariaDb(others)) => others
                .iter()
                .all(|(domain, seq)| mine.get(domain).is_some_and(|mine| mine >= seq)),
            (Self::MySql(mine), Self::MySql(others)) => others.iter().all(|(source, wanted)| {
                let mine = mine.get(source).map_or(&[][..], Vec::as_slice);
                wanted
                    .iter()
                    .all(|(first, last)| mine.iter().any(|(from, to)| from <= first && last <= to))
            }),
            _ => false,
        }
    }

    /// Adds `others`.
    pub(crate) fn join(&mut self, others: Self) {
        match (self, others) {
            (Self::MariaDb(mine), Self::MariaDb(others)) => {
                for (domain, seq) in others {
                    let mine = mine.entry(domain).or_default();
                    *mine = seq.max(*mine);
                }
            }
            (Self::MySql(mine), Self::MySql(others)) => {
                for (source, intervals) in others {
                    let mine = mine.entry(source).or_default();
                    mine.extend(intervals);
                    merge(mine);
                }
            }
            _ => {}
        }
    }
}

/// "domain-server-sequence".
fn mariadb_gtid(text: &str) -> Option<(u32, u64)> {
    let mut parts = text.trim().split('-');
    let (domain, _server, seq) = (parts.next()?, parts.next()?, parts.next()?);
    Some((domain.parse().ok()?, seq.parse().ok()?))
}

/// "uuid:1-5:7" or "uuid:tag:1-3": an interval belongs to the last tag before it.
fn add_mysql_set(set: &str, sets: &mut BTreeMap<String, Vec<(u64, u64)>>) {
    let Some((uuid, rest)) = set.split_once(':') else {
        return;
    };
    let mut source = uuid.to_ascii_lowercase();
    for part in rest.split(':') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        match (first.parse(), last.parse()) {
            (Ok(first), Ok(last)) if first <= last => {
                let intervals: &mut Vec<(u64, u64)> = sets.entry(source.clone()).or_default();
                intervals.push((first, last));
                merge(intervals);
            }
            (Ok(_), Ok(_)) => {}
            _ => source = format!("{}:{part}", uuid.to_ascii_lowercase()),
        }
    }
}

/// Sorts intervals, and joins those that touch.
fn merge(intervals: &mut Vec<(u64, u64)>) {
    intervals.sort_unstable();
    let mut merged: Vec<(u64, u64)> = Vec::with_capacity(intervals.len());
    for &(first, last) in intervals.iter() {
        match merged.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => merged.push((first, last)),
        }
    }
    *intervals = merged;
}

#[cfg(test)]
mod tests {
    use super::{Dialect::*, *};

    const UUID: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
    const OTHER: &str = "4e11fa47-71ca-11e1-9e33-c80aa9429562";

    fn seq(dialect: Dialect, text: &str) -> Option<u64> {
        dialect.parse(text).map(|commit| commit.seq)
    }

    #[test]
    fn the_server_is_known_by_its_version() {
        let mariadb = Dialect::of_version("10.11.19-MariaDB-0+deb12u1-log");
        assert_eq!(mariadb, MariaDb);
        assert_eq!(Dialect::of_version("8.0.36"), MySql);
    }

    #[test]
    fn mariadb_tells_the_sequence_of_the_sessions_last_commit() {
        assert_eq!(seq(MariaDb, "0-1-123"), Some(123));
        assert_eq!(seq(MariaDb, "0-1-18446744073709551615"), Some(u64::MAX));
        for nothing in ["", "0-1-", "x"] {
            assert_eq!(seq(MariaDb, nothing), None, "{nothing:?}");
        }
    }

    #[test]
    fn mysql_tells_the_set_of_visible_commits_and_its_size_counts() {
        for (text, size) in [
            (format!("{UUID}:1-5"), 5),
            (format!("{UUID}:1"), 1),
            (format!("{UUID}:1-5:7:9-10"), 8),
            (format!("{UUID}:1-5,\n{OTHER}:1-3"), 8),
            (format!("{UUID}:1-5:nightly:1-2"), 7),
        ] {
            assert_eq!(seq(MySql, &text), Some(size), "{text}");
        }
        assert_eq!(seq(MySql, ""), None);
        assert_eq!(seq(MySql, &format!("{UUID}:5-1")), None);
        let long = format!("{UUID}:1-{}", u64::MAX);
        assert_eq!(seq(MySql, &long), Some(u64::MAX));
    }

    #[test]
    fn a_commits_name_has_no_white_space() {
        let commit = MySql.parse(&format!("{UUID}:1-5,\n {OTHER}:1-3")).unwrap();
        assert_eq!(commit.gtid, format!("{UUID}:1-5,{OTHER}:1-3"));
    }

    #[test]
    fn a_set_covers_what_it_has_and_nothing_else() {
        let cases: [(Dialect, String, String, bool); 12] = [
            (MariaDb, "0-1-9".into(), "0-1-9".into(), true),
            // Whoever made it, after a failover for example.
            (MariaDb, "0-2-9".into(), "0-1-8".into(), true),
            (MariaDb, "0-1-9".into(), "0-1-10".into(), false),
            (MariaDb, "0-1-9".into(), "1-1-1".into(), false),
            (MariaDb, "0-1-9,1-1-3".into(), "1-1-3".into(), true),
            (MariaDb, String::new(), "0-1-1".into(), false),
            (MySql, format!("{UUID}:1-9"), format!("{UUID}:1-9"), true),
            (
                MySql,
                format!("{UUID}:1-4:5-9"),
                format!("{UUID}:3-7"),
                true,
            ),
            (
                MySql,
                format!("{UUID}:1-4:6-9"),
                format!("{UUID}:3-7"),
                false,
            ),
            (MySql, format!("{UUID}:1-9"), format!("{OTHER}:1"), false),
            (MySql, format!("{UUID}:1-9"), format!("{UUID}:tag:1"), false),
            (
                MySql,
                format!("{UUID}:1-9:tag:1-2")
                    .to_uppercase()
                    .replace("TAG", "tag"),
                format!("{UUID}:tag:2"),
                true,
            ),
        ];
        for (dialect, mine, wanted, covers) in cases {
            let (has, wants) = (Gtids::parse(dialect, &mine), Gtids::parse(dialect, &wanted));
            assert_eq!(has.covers(&wants), covers, "{mine} and {wanted}");
        }
    }

    #[test]
    fn joined_sets_cover_both() {
        for (dialect, mine, others) in [
            (
                MariaDb,
                "0-1-9,1-1-3".to_owned(),
                "0-1-7,1-1-5,2-1-1".to_owned(),
            ),
            (
                MySql,
                format!("{UUID}:1-4:9"),
                format!("{UUID}:5-7,{OTHER}:1-2"),
            ),
        ] {
            let others = Gtids::parse(dialect, &others);
            let mut joined = Gtids::parse(dialect, &mine);
            let before = joined.clone();
            joined.join(others.clone());
            assert!(
                joined.covers(&before) && joined.covers(&others),
                "{joined:?}"
            );
        }
    }
}
