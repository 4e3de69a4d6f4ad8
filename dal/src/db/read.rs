//! A read: on a replica if it may, else on the primary. What replicas don't answer has connections of its own there, and few.

use std::{future::Future, sync::Arc, time::Duration};

use futures::future::join_all;
use marks::{Commit, Reader, Sees, Why};
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

/// A read on a replica: long for an index range, yet short enough that the primary can still answer within the caller's deadline.
const REPLICA_READ_DEADLINE: Duration = Duration::from_millis(400);

/// What one who waits for a replica looks after, instead of holding one of its connections.
const POLL_PAUSE: Duration = Duration::from_millis(50);

/// A read. As a sea-orm connection it asks a replica if it may, then the primary.
pub(crate) struct Read<'a> {
    db: &'a Db,
    verb: Verb,
    from: From<'a>,
}

enum From<'a> {
    Primary(Routing),
    /// If it has this.
    Replica(&'a Arc<Replica>, Required<'a>),
}

/// What a replica must have to answer.
enum Required<'a> {
    Nothing,
    /// A commit; whether that is because of a mark.
    Commit(&'a Commit, bool),
    /// Whatever the primary has now.
    Newest,
}

impl Db {
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
        let (wanted, alone) = match &reader.sees {
            Sees::All(Why::Decides) => return self.read_own_writes(),
            // Commits can't be compared.
            Sees::All(Why::Marked) => (None, Routing::Marked),
            Sees::All(Why::Unknown) => (Some(Required::Newest), Routing::MarksUnknown),
            Sees::Any => (Some(Required::Nothing), Routing::NoReplica),
            Sees::UpTo { commit, marked } => {
                self.rotation.observe(commit);
                let wanted = Required::Commit(commit, *marked);
                (Some(wanted), Routing::NoReplica)
            }
        };
        let replica = wanted.and_then(|wanted| {
            let replica = self.rotation.pick(reader.user_id)?;
            Some(From::Replica(replica, wanted))
        });
        let from = replica.unwrap_or(From::Primary(alone));
        Read {
            db: self,
            verb: Verb::Read,
            from,
        }
    }

    /// Waits until every replica has this commit; for ever, when that can't be found out. Also one that isn't asked here: other
    /// processes may ask it, as they do when this one has just started.
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
            // Many may wait for one that is late: its connections are for reads.
            let looks = async {
                while !replica.has(dialect, commit) {
                    tokio::time::sleep(POLL_PAUSE).await;
                }
            };
            tokio::time::timeout(WRITE_DEADLINE, looks).await.is_ok()
        }));
        if !all.await.into_iter().all(|has| has) {
            std::future::pending().await
        }
    }

    /// For what a replica lacked.
    pub(crate) fn reread_on_primary(&self) -> Read<'_> {
        Read {
            db: self,
            verb: Verb::Read,
            from: From::Primary(Routing::RowMissing),
        }
    }
}

impl<'a> Read<'a> {
    /// Whether the answer may lack what was just written.
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
        // What decides a write goes where writes go; the rest must not get in their way.
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

    /// What the replica answers; else why the primary must be asked. Our own crowd before it is no reason: that is refused.
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
        // It may have left while others were waited for.
        if !replica.in_rotation() {
            return Err(Routing::ReplicaFailed);
        }
        let attempt = retry_broken_connection(&replica.read_pool.connection, query);
        let attempt = within(REPLICA_READ_DEADLINE, attempt);
        let result = observed(self.verb, replica.server, why, attempt).await;
        match result {
            Err(e) if error::is_connection_fault(&e) => {
                // Queries that were given up and still run may hold all connections: no news of the server.
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

    /// The replica that may answer, and why; else why the primary must. Waits for a replica that is nearly there.
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
                // One that is further behind won't have it in time: nobody need be asked.
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

    /// Whether the replica has this commit, now or in a moment.
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
