//! [`Db`]: the pools of the primary and its replicas, and the three verbs: write, read for a reader, read on the primary.
//!
//! A verb is a sea-orm connection that adds the deadline, the retries and the fallback to the primary.

mod health;
mod newest_commit;
mod read;
mod wrong_verb;

use std::{future::Future, sync::Arc, time::Duration};

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, ExecResult,
    QueryResult, Statement, TransactionTrait,
    prelude::async_trait,
    sqlx::{MySql, pool::PoolConnection},
};
use tokio::sync::OnceCell;

use telemetry::metrics::Verb;

use marks::{Commit, Marks};

use crate::{
    DalError, error,
    gtid::{Dialect, known_dialect},
    observe::on_primary,
    pool::{self, ReadPool, Switchover, retry_broken_connection, within},
    rotation::{Replica, Rotation, watch::Watch},
    writer_state::WriterState,
};

pub use health::Server;
use newest_commit::NewestCommit;
pub(crate) use read::Read;
use wrong_verb::wrong_verb;

/// A write with all its retries: above the time for a connection plus the semi-sync timeout (1 s) that a commit waits when
/// no replica acknowledges, below the deadline of a request.
pub(crate) const WRITE_DEADLINE: Duration = Duration::from_secs(5);
/// A read on the primary: an index range takes milliseconds; the rest is for the wait for a connection.
pub(crate) const READ_DEADLINE: Duration = Duration::from_secs(3);
/// The time to open a connection to a replica, within its read deadline.
const REPLICA_ACQUIRE_TIMEOUT: Duration = Duration::from_millis(300);
/// How often a transaction is retried after a deadlock or a lock timeout.
pub(crate) const MAX_RETRIES: u32 = 3;

/// The database: a primary and its replicas. Cheap to clone; one a process.
#[derive(Clone)]
pub struct Db {
    /// For writes, and reads that decide one.
    primary: DatabaseConnection,
    max_writers: usize,
    /// To the primary as well, for reads that no replica answers, and for exact counts.
    fallback: Arc<ReadPool>,
    switchover: Arc<Switchover>,
    rotation: Arc<Rotation>,
    dialect: Arc<OnceCell<Dialect>>,
    newest_commit: Arc<NewestCommit>,
    replica_wait: Duration,
    marks: Option<Marks>,
    /// What this process knows of itself as a writer.
    pub(crate) writer: Arc<WriterState>,
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
                let max = mysql.max_connections;
                let connect = acquire.min(REPLICA_ACQUIRE_TIMEOUT);
                let connection = pool::open_replica(url, max, connect)?;
                let read_pool = ReadPool::new("replica_reads", connection, max, acquire);
                let address = pool::address(url)?;
                Ok(Arc::new(Replica::new(index, address, read_pool)))
            })
            .collect::<Result<Vec<_>, DbErr>>()?;
        let switchover = Arc::<Switchover>::default();
        let primary = |max| pool::open_primary(&mysql.primary_url, max, acquire, &switchover);
        // Without replicas all reads go there.
        let fallback = match replicas.is_empty() {
            true => mysql.max_connections,
            false => mysql.max_fallback_connections,
        };
        let dialect = Arc::<OnceCell<Dialect>>::default();
        let db = Self {
            primary: primary(mysql.max_connections)?,
            max_writers: (mysql.max_connections / 2).max(1) as usize,
            fallback: Arc::new(ReadPool::new(
                "primary_reads",
                primary(fallback)?,
                fallback,
                acquire,
            )),
            newest_commit: Arc::new(NewestCommit::new(primary(1)?, dialect.clone())),
            switchover,
            rotation: Arc::new(Rotation::new(replicas)),
            dialect,
            replica_wait: Duration::from_millis(mysql.replica_wait_ms),
            marks: None,
            writer: Arc::default(),
        };
        db.register_metrics();
        db.watch(Duration::from_secs(mysql.max_lag_s));
        Ok(db)
    }

    pub(crate) fn marks(&self) -> Option<&Marks> {
        self.marks.as_ref()
    }

    /// For [`crate::registration`]: marks also need somebody who keeps them.
    pub(crate) fn set_marks(&mut self, marks: Marks) {
        self.marks = Some(marks);
    }

    fn watch(&self, max_lag: Duration) {
        let replicas = self.rotation.all().iter();
        let watch = Watch {
            rotation: Arc::downgrade(&self.rotation),
            dialect: self.dialect.clone(),
            switchover: self.switchover.clone(),
            primary: pool::dedicated(&self.primary),
            replicas: replicas
                .map(|replica| pool::dedicated(&replica.read_pool.connection))
                .collect(),
            max_lag,
        };
        vital::spawn("watch of replicas", watch.run());
    }

    /// The primary's dialect of GTIDs; the first call asks `session`. It uses no other connection: if holders of a connection waited for a
    /// second one, all of them could wait for ever.
    pub(crate) async fn dialect<C: ConnectionTrait>(&self, session: &C) -> Result<Dialect, DbErr> {
        known_dialect(&self.dialect, session).await
    }

    /// [`Self::dialect`], for a caller that holds no connection.
    pub(crate) async fn primary_dialect(&self) -> Result<Dialect, DbErr> {
        self.dialect(&self.primary).await
    }

    /// A connection to the primary outside the pool, for what belongs to a session, such as a lock by name. Opened at its first use.
    pub(crate) fn own_connection(&self) -> DatabaseConnection {
        pool::unpooled(&self.primary)
    }

    /// A connection to the primary from the pool of the writes, for statements that are sent as text.
    pub(crate) async fn connection(&self) -> Result<PoolConnection<MySql>, DbErr> {
        let pool = self.primary.get_mysql_connection_pool();
        let acquired = pool.acquire().await.map_err(pool::connection_error);
        acquired.inspect_err(|error| self.note_error(error))
    }

    /// How many writers may keep a connection to the primary between two commits. The other half of the pool is for single statements,
    /// such as reads that decide a write.
    pub(crate) fn max_writers(&self) -> usize {
        self.max_writers
    }

    /// Whether a connection that was taken from the pool so long ago may be used again without being checked.
    pub(crate) fn may_keep(&self, taken_out: Duration) -> bool {
        !self.switchover.is_read_only() && !self.switchover.is_retired(taken_out)
    }

    /// Writes on the primary. A statement whose outcome is unknown isn't retried.
    pub(crate) fn write(&self) -> Write<'_> {
        Write { db: self }
    }

    /// Notes a commit that this process knows of, such as its own.
    pub(crate) fn observe(&self, commit: &Commit) {
        self.rotation.observe(commit);
    }

    /// Notes an error of the primary: after a refused write the open connections aren't used again.
    pub(crate) fn note_error(&self, error: &DbErr) {
        if error::is_refused(error) {
            self.switchover.refused();
        }
    }

    /// Whether a transaction that failed with this error may be retried: nothing of it was kept, and a retry may succeed.
    pub(crate) fn may_retry(&self, error: &DalError) -> bool {
        if let DalError::Unavailable(error) = error {
            self.note_error(error);
        }
        error.is_conflict() || error.is_refused()
    }
}

/// A write. As a sea-orm connection it commits each statement by itself.
pub(crate) struct Write<'a> {
    db: &'a Db,
}

/// The work of one transaction. It may run again from the start, so it does nothing but SQL.
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
        // Nothing is written before BEGIN has succeeded, so a retry is harmless.
        let begun = retry_broken_connection(&self.db.primary, |primary| primary.begin()).await;
        begun.inspect_err(|error| self.db.note_error(error))
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
                match self.db.primary.execute_raw(statement.clone()).await {
                    Err(e) if error::is_conflict(&e) && repeats < MAX_RETRIES => repeats += 1,
                    Err(e) if error::is_refused(&e) && repeats < MAX_RETRIES => {
                        self.db.note_error(&e);
                        repeats += 1;
                    }
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
