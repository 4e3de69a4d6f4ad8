//! The kind of database server that the tests run on: MariaDB, or the MySQL that `DATABASE=mysql make test` names. It has the statements of
//! the tests that differ between the two. `own_server` starts a server. The statements of the services are in `dal`, for both kinds.

use std::path::PathBuf;

use crate::environment;

/// MariaDB's programs are in PATH.
#[derive(Debug, Clone)]
pub enum Engine {
    /// Debian's.
    MariaDb,
    /// With the path of its server.
    MySql(PathBuf),
}

impl Engine {
    /// That of the servers of this run.
    pub fn of_tests() -> Self {
        match environment::mysqld() {
            None => Self::MariaDb,
            Some(server) => Self::MySql(server),
        }
    }

    /// The newest commit of a primary, as an expression.
    pub fn position(&self) -> &'static str {
        match self {
            Self::MariaDb => "@@global.gtid_binlog_pos",
            Self::MySql(_) => "@@global.gtid_executed",
        }
    }

    /// What a replica has applied, as an expression.
    pub fn applied(&self) -> &'static str {
        match self {
            Self::MariaDb => "@@global.gtid_slave_pos",
            Self::MySql(_) => "@@global.gtid_executed",
        }
    }

    /// The query that waits on a replica for a position; its value is 0 when all of it is there.
    pub fn wait(&self, position: &str, seconds: u64) -> String {
        let position: String = position.split_whitespace().collect();
        match self {
            Self::MariaDb => {
                format!("SELECT CAST(MASTER_GTID_WAIT('{position}', {seconds}) AS SIGNED)")
            }
            Self::MySql(_) => {
                format!(
                    "SELECT CAST(WAIT_FOR_EXECUTED_GTID_SET('{position}', {seconds}) AS SIGNED)"
                )
            }
        }
    }

    /// How many commits a position has behind it. MariaDB: "0-1-7"; MySQL: "uuid:1-5:7, uuid:1-3".
    pub fn seq(&self, position: &str) -> u64 {
        let number = |text: &str| text.trim().parse::<u64>().expect("a number of a GTID");
        match self {
            Self::MariaDb => position.rsplit('-').next().map_or(0, number),
            Self::MySql(_) => position
                .split(',')
                .flat_map(|set| set.split(':').skip(1))
                .map(|interval| {
                    let (first, last) = interval.split_once('-').unwrap_or((interval, interval));
                    number(last) - number(first) + 1
                })
                .sum(),
        }
    }

    /// The statements that let a replica apply what it gets so much later; zero ends it.
    pub fn delay(&self, seconds: u64) -> String {
        match self {
            // Both threads must be stopped.
            Self::MariaDb => {
                format!("STOP SLAVE; CHANGE MASTER TO MASTER_DELAY = {seconds}; START SLAVE")
            }
            Self::MySql(_) => format!(
                "STOP REPLICA SQL_THREAD; CHANGE REPLICATION SOURCE TO SOURCE_DELAY = {seconds}; START REPLICA SQL_THREAD"
            ),
        }
    }

    /// The statement after which a replica still receives, and applies nothing.
    pub fn stop_applying(&self) -> &'static str {
        match self {
            Self::MariaDb => "STOP SLAVE SQL_THREAD",
            Self::MySql(_) => "STOP REPLICA SQL_THREAD",
        }
    }

    /// The statements that make a primary of a replica.
    pub fn promote(&self) -> &'static str {
        match self {
            Self::MariaDb => "STOP SLAVE; RESET SLAVE ALL; SET GLOBAL read_only = 0",
            Self::MySql(_) => "STOP REPLICA; RESET REPLICA ALL; SET GLOBAL read_only = 0",
        }
    }

    /// The statements that let a server follow a primary, from where it stands. What was a primary itself goes on from its own commits.
    pub fn follow(&self, port: u16, account: &str, password: &str) -> String {
        match self {
            Self::MariaDb => format!(
                "STOP SLAVE; SET GLOBAL gtid_slave_pos = @@global.gtid_binlog_pos; \
                 CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {port}, MASTER_USER = '{account}', \
                 MASTER_PASSWORD = '{password}', MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = 1; START SLAVE"
            ),
            Self::MySql(_) => format!(
                "STOP REPLICA; CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = {port}, \
                 SOURCE_USER = '{account}', SOURCE_PASSWORD = '{password}', SOURCE_AUTO_POSITION = 1, \
                 SOURCE_CONNECT_RETRY = 1, GET_SOURCE_PUBLIC_KEY = 1; START REPLICA"
            ),
        }
    }

    /// The statements that let a replica find its primary at another address, and go on from where it stands.
    pub fn follow_over(&self, host: &str, port: u16) -> String {
        match self {
            Self::MariaDb => format!(
                "STOP SLAVE; CHANGE MASTER TO MASTER_HOST = '{host}', MASTER_PORT = {port}; START SLAVE"
            ),
            Self::MySql(_) => format!(
                "STOP REPLICA; CHANGE REPLICATION SOURCE TO SOURCE_HOST = '{host}', SOURCE_PORT = {port}; START REPLICA"
            ),
        }
    }

    /// A query for the number of connections to a primary that wait for its next commit.
    pub(crate) fn receives(&self) -> &'static str {
        match self {
            Self::MariaDb => {
                "SELECT COUNT(*) FROM information_schema.processlist \
                 WHERE command = 'Slave_IO' AND state LIKE 'Waiting for master%'"
            }
            Self::MySql(_) => {
                "SELECT COUNT(*) FROM information_schema.processlist WHERE state LIKE 'Waiting for source%'"
            }
        }
    }

    /// The privilege to see whether replication runs.
    pub fn sees_replication(&self) -> &'static str {
        match self {
            Self::MariaDb => "SLAVE MONITOR",
            Self::MySql(_) => "REPLICATION CLIENT",
        }
    }
}
