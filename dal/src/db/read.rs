//! A read: on a replica that has what the reader must see, otherwise on the primary, over few connections of its own there.

use std::{future::Future, sync::Arc, time::Duration};

use futures::future::join_all;
use marks::{Commit, Consistency, Reader, StrictReason};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, Statement,
    prelude::async_trait,
};
use telemetry::metrics::{self, Routing, Verb};

use super::{Db, READ_DEADLINE, WRITE_DEADLINE, wrong_verb::wrong_verb};
use crate::{
    error,
    gtid::{Dialect, known_dialect},
    observe::observed,
    pool::{retry_broken_connection, within},
    rotation::Replica,
};

/// For a read on a replica: plenty for an index range, and short enough that the primary can still answer within the caller's deadline.
const REPLICA_READ_DEADLINE: Duration = Duration::from_millis(400);

/// Between two checks whether a late replica has a commit.
const POLL_PAUSE: Duration = Duration::from_millis(50);

/// A read. As a sea-orm connection it queries a replica if possible, otherwise the primary.
pub(crate) struct Read<'a> {
    db: &'a Db,
    verb: Verb,
    from: From<'a>,
}

enum From<'a> {
    Primary(Routing),
    /// If it has the required commits.
    Replica(&'a Arc<Replica>, Required<'a>),
}

/// What a replica must have to answer.
enum Required<'a> {
    Nothing,
    /// This commit; and whether a mark demands it.
    Commit(&'a Commit, bool),
    /// All commits that the primary has now.
    Newest,
}

impl Db {
    /// Reads that must see every acknowledged write, or that decide a write: on the primary.
    pub(crate) fn read_own_writes(&self) -> Read<'_> {
        Read {
            db: self,
            verb: Verb::ReadOwnWrites,
            from: From::Primary(Routing::Verb),
        }
    }

    /// Reads for `reader`: on a replica that has the commits that the reader must see, or on the primary.
    pub(crate) fn read<'a>(&'a self, reader: &'a Reader) -> Read<'a> {
        let (wanted, alone) = match &reader.consistency {
            Consistency::All(StrictReason::Decides) => return self.read_own_writes(),
            // The primary has no GTIDs, so commits can't be compared.
            Consistency::All(StrictReason::Marked) => (None, Routing::Marked),
            Consistency::All(StrictReason::Unknown) => {
                (Some(Required::Newest), Routing::MarksUnknown)
            }
            Consistency::Any => (Some(Required::Nothing), Routing::NoReplica),
            Consistency::UpTo { commit, marked } => {
                self.rotation.observe(commit);
                let wanted = Required::Commit(commit, *marked);
                (Some(wanted), Routing::NoReplica)
            }
        };
        let replica = wanted.and_then(|wanted| {
            let replica = self.rotation.pick(reader.affinity)?;
            Some(From::Replica(replica, wanted))
        });
        let from = replica.unwrap_or(From::Primary(alone));
        Read {
            db: self,
            verb: Verb::Read,
            from,
        }
    }

    /// [`Self::read`], of what no request waits for.
    pub(crate) fn read_in_background<'a>(&'a self, reader: &'a Reader) -> Read<'a> {
        Read {
            verb: Verb::Background,
            ..self.read(reader)
        }
    }

    /// Waits until every replica has this commit; for ever if that can't be found out. Also waits for ejected replicas: they may be in
    /// rotation in other processes.
    pub(crate) async fn all_replicas_have(&self, commit: &Commit) {
        let replicas = self.rotation.all().iter();
        let all = join_all(replicas.map(async |replica| {
            let known = known_dialect(&self.dialect, &replica.read_pool.connection);
            let Ok(dialect) = within(REPLICA_READ_DEADLINE, known).await else {
                return false;
            };
            let limit = self.replica_wait;
            if replica.has(dialect, commit) || replica.wait_for(dialect, commit, limit).await {
                return true;
            }
            // Many may wait for a late replica, and its connections are for reads: this wait holds none.
            let polls = async {
                while !replica.has(dialect, commit) {
                    tokio::time::sleep(POLL_PAUSE).await;
                }
            };
            tokio::time::timeout(WRITE_DEADLINE, polls).await.is_ok()
        }));
        if !all.await.into_iter().all(|has| has) {
            std::future::pending().await
        }
    }

    /// Reads rows that a replica lacked, on the primary.
    pub(crate) fn reread_on_primary(&self) -> Read<'_> {
        self.fallback_read(Routing::RowMissing)
    }

    /// Reads exact counts, on the primary. When Redis can't be trusted these are as many as the pages that are shown, so they must not
    /// take the connections of the writes.
    pub(crate) fn read_exact_counts(&self) -> Read<'_> {
        self.fallback_read(Routing::ExactCounts)
    }

    fn fallback_read(&self, why_primary: Routing) -> Read<'_> {
        Read {
            db: self,
            verb: Verb::Read,
            from: From::Primary(why_primary),
        }
    }
}

impl<'a> Read<'a> {
    /// Whether the answer may lack recent writes.
    pub(crate) fn may_be_stale(&self) -> bool {
        matches!(self.from, From::Replica(..))
    }

    async fn run<T, F>(&self, query: impl Fn(&'a DatabaseConnection) -> F) -> Result<T, DbErr>
    where
        F: Future<Output = Result<T, DbErr>>,
    {
        let why_primary = match self.replica().await {
            Err(why) => why,
            Ok((replica, why)) => match self.on_replica(replica, why, &query).await {
                Ok(result) => return result,
                Err(why_primary) => why_primary,
            },
        };
        // A read that decides a write uses the pool of the writes; other reads must not take their connections.
        let _permit;
        let primary = if self.verb == Verb::ReadOwnWrites {
            &self.db.primary
        } else {
            _permit = self.db.fallback.acquire().await?;
            &self.db.fallback.connection
        };
        let work = within(READ_DEADLINE, retry_broken_connection(primary, query));
        let result = observed(self.verb, metrics::Server::Primary, why_primary, work).await;
        if let Err(error) = &result {
            self.db.note_error(error);
        }
        result
    }

    /// The replica's answer, or why the primary must be asked. A full queue is no such reason: the read is refused.
    async fn on_replica<T, F>(
        &self,
        replica: &'a Arc<Replica>,
        why: Routing,
        query: impl Fn(&'a DatabaseConnection) -> F,
    ) -> Result<Result<T, DbErr>, Routing>
    where
        F: Future<Output = Result<T, DbErr>>,
    {
        let _permit = match replica.read_pool.acquire().await {
            Ok(permit) => permit,
            Err(overloaded) => return Ok(Err(overloaded)),
        };
        // It may have been ejected during the wait.
        if !replica.in_rotation() {
            return Err(Routing::ReplicaFailed);
        }
        let attempt = retry_broken_connection(&replica.read_pool.connection, query);
        let attempt = within(REPLICA_READ_DEADLINE, attempt);
        let result = observed(self.verb, replica.server, why, attempt).await;
        match result {
            Err(e) if error::is_connection_fault(&e) => {
                // All connections may be held by queries that were given up and still run: that says nothing about the server.
                if error::is_acquire(&e) && replica.read_pool.is_full() {
                    tracing::debug!(replica = %replica.server.name(), "all connections are in use");
                } else {
                    replica.failed(&e);
                }
                Err(Routing::ReplicaFailed)
            }
            Err(e) if error::is_schema_behind(&e) => {
                tracing::warn!(error = %e, "a replica lacks a migration; the primary is asked");
                Err(Routing::SchemaBehind)
            }
            result => {
                replica.answered();
                Ok(result)
            }
        }
    }

    /// The replica that may answer, and why; or why the primary must. Waits for a replica that has nearly caught up.
    async fn replica(&self) -> Result<(&'a Arc<Replica>, Routing), Routing> {
        let (replica, wanted) = match &self.from {
            From::Primary(why) => return Err(*why),
            From::Replica(replica, wanted) => (*replica, wanted),
        };
        match wanted {
            Required::Nothing => Ok((replica, Routing::Replica)),
            Required::Commit(commit, marked) => {
                let why = if *marked {
                    Routing::CaughtUp
                } else {
                    Routing::Replica
                };
                self.waited_for(replica, commit)
                    .await?
                    .then_some((replica, why))
                    .ok_or(Routing::Marked)
            }
            Required::Newest => {
                // It lags too much to have them in time.
                if replica.lag() > self.db.replica_wait {
                    return Err(Routing::MarksUnknown);
                }
                let newest = self
                    .db
                    .newest_commit
                    .newest()
                    .await
                    .ok_or(Routing::MarksUnknown)?;
                self.waited_for(replica, &newest)
                    .await?
                    .then_some((replica, Routing::AsOfNow))
                    .ok_or(Routing::MarksUnknown)
            }
        }
    }

    /// Whether the replica has this commit, after a short wait if necessary.
    async fn waited_for(&self, replica: &Replica, commit: &Commit) -> Result<bool, Routing> {
        let dialect = self.dialect(replica).await?;
        let limit = self.db.replica_wait;
        Ok(replica.has(dialect, commit)
            || (replica.lag() <= limit && replica.wait_for(dialect, commit, limit).await))
    }

    async fn dialect(&self, replica: &Replica) -> Result<Dialect, Routing> {
        let known = known_dialect(&self.db.dialect, &replica.read_pool.connection);
        within(REPLICA_READ_DEADLINE, known)
            .await
            .map_err(|_| Routing::ReplicaFailed)
    }
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
