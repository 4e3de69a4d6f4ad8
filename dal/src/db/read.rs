//! A read: on a replica if it may, else on the primary. What replicas don't answer has connections of its own there, and few.

use std::{future::Future, sync::Arc, time::Duration};

use marks::Commit;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, Statement,
    prelude::async_trait,
};
use telemetry::metrics::{self, Routing, Verb};

use super::{Db, READ_DEADLINE, wrong_verb};
use crate::{
    error,
    gtid::{Dialect, known_dialect},
    observe::observed,
    pool::{on_a_whole_connection, within},
    rotation::Replica,
};

/// A read on a replica: long for an index range, yet short enough that the primary can still answer within the caller's deadline.
pub(super) const REPLICA_READ_DEADLINE: Duration = Duration::from_millis(400);

/// A read. As a sea-orm connection it asks a replica if it may, then the primary.
pub(crate) struct Read<'a> {
    pub(super) db: &'a Db,
    pub(super) verb: Verb,
    pub(super) from: From<'a>,
}

pub(super) enum From<'a> {
    Primary(Routing),
    /// If it has this.
    Replica(&'a Arc<Replica>, Wanted<'a>),
}

/// What a replica must have to answer.
pub(super) enum Wanted<'a> {
    Nothing,
    /// A commit; whether that is because of a mark.
    Commit(&'a Commit, bool),
    /// Whatever the primary has now.
    Newest,
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
            _permit = self.db.fallback.enter().await?;
            &self.db.fallback.connection
        };
        let work = within(READ_DEADLINE, on_a_whole_connection(primary, query));
        let result = observed(self.verb, metrics::Server::Primary, why_primary, work).await;
        if let Err(error) = &result {
            self.db.heed(error);
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
        let _permit = match replica.lane.enter().await {
            Ok(permit) => permit,
            Err(overloaded) => return Ok(Err(overloaded)),
        };
        // It may have left while others were waited for.
        if !replica.is_well() {
            return Err(Routing::ReplicaFailed);
        }
        let attempt = on_a_whole_connection(&replica.lane.connection, query);
        let attempt = within(REPLICA_READ_DEADLINE, attempt);
        let result = observed(self.verb, replica.server, why, attempt).await;
        match result {
            Err(e) if error::is_connection_fault(&e) => {
                // Queries that were given up and still run may hold all connections: no news of the server.
                if error::is_acquire(&e) && replica.lane.is_full() {
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
            Wanted::Nothing => Ok((replica, Routing::Replica)),
            Wanted::Commit(commit, marked) => {
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
            Wanted::Newest => {
                // One that is further behind won't have it in time: nobody need be asked.
                if replica.behind() > self.db.replica_wait {
                    return Err(Routing::MarksUnknown);
                }
                let newest = self.db.now.newest().await.ok_or(Routing::MarksUnknown)?;
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
            || (replica.behind() <= limit && replica.wait_for(dialect, commit, limit).await))
    }

    async fn dialect(&self, replica: &Replica) -> Result<Dialect, Routing> {
        let known = known_dialect(&self.db.dialect, &replica.lane.connection);
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
