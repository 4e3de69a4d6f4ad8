//! The verbs: write, read for somebody, read what decides. Each is a connection to sea-orm and knows deadlines, repeats and
//! fallbacks.

mod health;

use std::{future::Future, sync::Arc, time::Duration};

use futures::future::join_all;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult,
    QueryResult, Statement, TransactionTrait, prelude::async_trait,
};
use tokio::sync::OnceCell;

use telemetry::metrics::{self, Routing, Verb};

use marks::{Commit, Marks, Reader, Sees, Why};

use crate::{
    DalError, error,
    gtid::Dialect,
    observe::{observed, on_primary},
    pool::{self, on_a_whole_connection, within},
    position,
    rotation::{Replica, Rotation, Watch, known_dialect},
};

pub use health::Server;
pub(crate) use health::show_semi_sync;

/// A write with all its repeats: above the time for a connection plus the semi-sync timeout (1 s) that a commit waits when
/// no replica acknowledges, below the deadline of a request.
pub(crate) const WRITE_DEADLINE: Duration = Duration::from_secs(5);
/// A read on the primary: an index range takes milliseconds, the rest is the wait for a connection.
pub(crate) const READ_DEADLINE: Duration = Duration::from_secs(3);
/// A read on a replica: long for an index range, yet short enough that the primary can still answer within the caller's deadline.
const REPLICA_READ_DEADLINE: Duration = Duration::from_millis(400);
/// The wait for a connection to a replica, within its read deadline.
const REPLICA_ACQUIRE_TIMEOUT: Duration = Duration::from_millis(300);
/// How often a transaction is repeated after a deadlock or a lock time-out.
pub(crate) const MAX_REPEATS: u32 = 3;

/// The database: a primary and its replicas. Cheap to clone; one a process.
#[derive(Clone)]
pub struct Db {
    primary: DatabaseConnection,
    rotation: Arc<Rotation>,
    dialect: Arc<OnceCell<Dialect>>,
    replica_wait: Duration,
    marks: Option<Marks>,
}

impl Db {
    /// Prepares the pools and watches the replicas. A server that is down fails the first call instead, as
    /// [`DalError::Unavailable`]. Must be called in a tokio runtime. An error is a URL that can't be read.
    pub fn connect(mysql: &settings::Mysql) -> Result<Self, DalError> {
        let acquire = Duration::from_millis(mysql.acquire_timeout_ms);
        let replicas = mysql
            .replica_urls
            .iter()
            .enumerate()
            .map(|(index, url)| {
                let acquire = acquire.min(REPLICA_ACQUIRE_TIMEOUT);
                let connection = pool::open(url, mysql.max_connections, acquire)?;
                Ok(Arc::new(Replica::new(index, connection)))
            })
            .collect::<Result<_, DbErr>>()?;
        let db = Self {
            primary: pool::open(&mysql.primary_url, mysql.max_connections, acquire)?,
            rotation: Arc::new(Rotation::new(replicas)),
            dialect: Arc::default(),
            replica_wait: Duration::from_millis(mysql.replica_wait_ms),
            marks: None,
        };
        db.show();
        db.watch(Duration::from_secs(mysql.max_lag_s));
        Ok(db)
    }

    /// With marks, which every write then sets, and which are kept as long as this process runs. Without them only reads on the
    /// primary see what was just written.
    #[must_use]
    pub fn with_marks(self, marks: Marks) -> Self {
        let db = Self {
            marks: Some(marks.clone()),
            ..self
        };
        vital::spawn("keeper of marks", marks.keep(db.clone()));
        db
    }

    pub(crate) fn marks(&self) -> Option<&Marks> {
        self.marks.as_ref()
    }

    fn watch(&self, max_lag: Duration) {
        let replicas = self.rotation.all();
        if replicas.is_empty() {
            return;
        }
        let watch = Watch {
            rotation: Arc::downgrade(&self.rotation),
            dialect: self.dialect.clone(),
            primary: pool::beside(&self.primary),
            replicas: replicas
                .iter()
                .map(|replica| pool::beside(&replica.connection))
                .collect(),
            max_lag,
        };
        vital::spawn("watch of replicas", watch.run());
    }

    /// How the primary speaks of commits; `session`, one of its sessions, is asked once. (Not another one: whoever holds a
    /// connection may not wait for a second, or all could.)
    pub(crate) async fn dialect<C: ConnectionTrait>(&self, session: &C) -> Result<Dialect, DbErr> {
        known_dialect(&self.dialect, session).await
    }

    /// A connection to the primary of its own, outside the pool, for what belongs to a session: a lock by name. Opened when
    /// it is used first.
    pub(crate) fn own_connection(&self) -> DatabaseConnection {
        pool::single(&self.primary)
    }

    /// Writes: the primary. Nothing is repeated whose outcome is unknown.
    pub(crate) fn write(&self) -> Write<'_> {
        Write {
            primary: &self.primary,
        }
    }

    /// Reads that must see every acknowledged write, or that decide one: the primary.
    pub(crate) fn read_own_writes(&self) -> Read<'_> {
        Read {
            db: self,
            verb: Verb::ReadOwnWrites,
            from: From::Primary(Routing::Verb),
        }
    }

    /// Reads for somebody who must see what `reader` says: a replica that has it, or the primary.
    pub(crate) fn read<'a>(&'a self, reader: &'a Reader) -> Read<'a> {
        let replica = || self.rotation.pick(reader.user_id);
        let from = match &reader.sees {
            Sees::All(Why::Decides) => return self.read_own_writes(),
            Sees::All(Why::Marked) => From::Primary(Routing::Marked),
            Sees::All(Why::Unknown) => From::Primary(Routing::MarksUnknown),
            Sees::Any => match replica() {
                Some(replica) => From::Replica(replica, None),
                None => From::Primary(Routing::NoReplica),
            },
            Sees::UpTo { commit, marked } => match replica() {
                Some(replica) => From::Replica(replica, Some((commit, *marked))),
                None => From::Primary(Routing::NoReplica),
            },
        };
        Read {
            db: self,
            verb: Verb::Read,
            from,
        }
    }

    /// Runs `query` for `reader`; when a replica doesn't find what it was asked for, once more on the primary: it may only be
    /// late.
    pub(crate) async fn find<'a, T, F>(
        &'a self,
        reader: &'a Reader,
        query: impl Fn(Read<'a>) -> F,
    ) -> Result<T, DalError>
    where
        F: Future<Output = Result<T, DalError>>,
    {
        let read = self.read(reader);
        let may_be_old = read.may_be_old();
        match query(read).await {
            Err(DalError::NotFound) if may_be_old => query(self.ask_again()).await,
            result => result,
        }
    }

    /// Waits until every replica that is asked has this commit; for ever, when that can't be found out.
    pub(crate) async fn all_replicas_have(&self, commit: &Commit) {
        let replicas = self.rotation.all().iter();
        let all = join_all(
            replicas
                .filter(|replica| replica.is_well())
                .map(async |replica| {
                    let known = known_dialect(&self.dialect, &replica.connection);
                    let Ok(dialect) = within(REPLICA_READ_DEADLINE, known).await else {
                        return false;
                    };
                    replica.has(dialect, commit)
                        || replica.wait_for(dialect, commit, WRITE_DEADLINE).await
                }),
        );
        if !all.await.into_iter().all(|has| has) {
            std::future::pending().await
        }
    }

    /// For what a replica lacked.
    pub(crate) fn ask_again(&self) -> Read<'_> {
        Read {
            db: self,
            verb: Verb::Read,
            from: From::Primary(Routing::RowMissing),
        }
    }
}

impl marks::Newest for Db {
    async fn newest(&self) -> Option<Commit> {
        position::mark(self).await.ok()
    }
}

/// A read. As a sea-orm connection it asks a replica if it may, then the primary.
pub(crate) struct Read<'a> {
    db: &'a Db,
    verb: Verb,
    from: From<'a>,
}

enum From<'a> {
    Primary(Routing),
    /// If it has this commit; whether that is because of a mark.
    Replica(&'a Arc<Replica>, Option<(&'a Commit, bool)>),
}

impl<'a> Read<'a> {
    /// Whether the answer may lack what was just written.
    pub(crate) fn may_be_old(&self) -> bool {
        matches!(self.from, From::Replica(..))
    }

    async fn run<T, F>(&self, query: impl Fn(&'a DatabaseConnection) -> F) -> Result<T, DbErr>
    where
        F: Future<Output = Result<T, DbErr>>,
    {
        let why_primary = match self.replica().await {
            Err(why) => why,
            Ok((replica, why)) => {
                let attempt = on_a_whole_connection(&replica.connection, &query);
                let attempt = within(REPLICA_READ_DEADLINE, attempt);
                match observed(self.verb, replica.server, why, attempt).await {
                    Err(e) if error::is_connection_fault(&e) => {
                        replica.failed(&e);
                        Routing::ReplicaFailed
                    }
                    Err(e) if error::is_schema_behind(&e) => {
                        tracing::warn!(error = %e, "a replica lacks a migration; the primary is asked");
                        Routing::SchemaBehind
                    }
                    result => return result,
                }
            }
        };
        let work = within(
            READ_DEADLINE,
            on_a_whole_connection(&self.db.primary, query),
        );
        observed(self.verb, metrics::Server::Primary, why_primary, work).await
    }

    /// The replica that may answer, and why; else why the primary must. Waits for a replica that is nearly there.
    async fn replica(&self) -> Result<(&'a Arc<Replica>, Routing), Routing> {
        let (replica, wanted) = match self.from {
            From::Primary(why) => return Err(why),
            From::Replica(replica, wanted) => (replica, wanted),
        };
        let Some((commit, marked)) = wanted else {
            return Ok((replica, Routing::Replica));
        };
        let why = if marked {
            Routing::CaughtUp
        } else {
            Routing::Replica
        };
        let known = known_dialect(&self.db.dialect, &replica.connection);
        let Ok(dialect) = within(REPLICA_READ_DEADLINE, known).await else {
            return Err(Routing::ReplicaFailed);
        };
        let limit = self.db.replica_wait;
        let has = replica.has(dialect, commit)
            || (replica.behind() <= limit && replica.wait_for(dialect, commit, limit).await);
        if has {
            Ok((replica, why))
        } else {
            Err(Routing::Marked)
        }
    }
}

/// A verb has only what sea-orm needs of it: a read executes nothing, a write asks nothing.
fn wrong_verb() -> DbErr {
    DbErr::Custom("this verb doesn't do that".to_owned())
}

#[async_trait::async_trait]
impl ConnectionTrait for Read<'_> {
    fn get_database_backend(&self) -> DbBackend {
        DbBackend::MySql
    }

    async fn execute_raw(&self, _: Statement) -> Result<ExecResult, DbErr> {
        Err(wrong_verb())
    }

    async fn execute_unprepared(&self, _: &str) -> Result<ExecResult, DbErr> {
        Err(wrong_verb())
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.run(|connection| connection.query_one_raw(statement.clone()))
            .await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.run(|connection| connection.query_all_raw(statement.clone()))
            .await
    }
}

/// A write. As a sea-orm connection it commits each statement by itself.
pub(crate) struct Write<'a> {
    primary: &'a DatabaseConnection,
}

/// What happens in one transaction. It may be run again from the start, so it does nothing but SQL.
pub(crate) trait Transaction: Sync {
    type Output: Send;

    fn run(
        &self,
        transaction: &DatabaseTransaction,
    ) -> impl Future<Output = Result<Self::Output, DalError>> + Send;
}

impl Write<'_> {
    /// A transaction, its BEGIN and COMMIT or ROLLBACK counted.
    pub(crate) async fn begin(&self) -> Result<DatabaseTransaction, DbErr> {
        telemetry::cost::add_sql(2);
        // Before BEGIN has answered nothing is written: harmless to repeat.
        on_a_whole_connection(self.primary, |primary| primary.begin()).await
    }
}

#[async_trait::async_trait]
impl ConnectionTrait for Write<'_> {
    fn get_database_backend(&self) -> DbBackend {
        DbBackend::MySql
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        let work = within(WRITE_DEADLINE, async {
            let mut repeats = 0;
            loop {
                match self.primary.execute_raw(statement.clone()).await {
                    Err(e) if error::is_conflict(&e) && repeats < MAX_REPEATS => repeats += 1,
                    result => return result,
                }
            }
        });
        on_primary(Verb::Write, work).await
    }

    async fn execute_unprepared(&self, _: &str) -> Result<ExecResult, DbErr> {
        Err(wrong_verb())
    }

    async fn query_one_raw(&self, _: Statement) -> Result<Option<QueryResult>, DbErr> {
        Err(wrong_verb())
    }

    async fn query_all_raw(&self, _: Statement) -> Result<Vec<QueryResult>, DbErr> {
        Err(wrong_verb())
    }
}
