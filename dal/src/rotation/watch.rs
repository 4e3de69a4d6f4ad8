//! Polls the primary and its replicas four times a second, and so decides which replicas are in rotation. Also notices a switchover.

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use futures::future::join_all;
use marks::Commit;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement};
use tokio::{sync::OnceCell, time::MissedTickBehavior};

use super::{
    Readmission, ReplicaStatus, Rotation, commit_order, history::History, semi_sync, threads,
};
use crate::{
    gtid::{Dialect, Gtids, known_dialect},
    pool::{self, Switchover, within},
};

/// Between two polls. A fault is noticed after a period and a deadline.
const PERIOD: Duration = Duration::from_millis(250);
/// For one poll of one server.
const POLL_DEADLINE: Duration = Duration::from_secs(1);
/// After so many polls the connection to the primary is opened anew: its address may lead elsewhere.
const POLLS_PER_CONNECTION: u32 = 40;

/// Polls the servers of a process until its pools are dropped.
pub(crate) struct Watch {
    pub(crate) rotation: Weak<Rotation>,
    pub(crate) dialect: Arc<OnceCell<Dialect>>,
    pub(crate) switchover: Arc<Switchover>,
    /// A dedicated connection to the primary.
    pub(crate) primary: DatabaseConnection,
    /// A dedicated connection to each replica: waiting for one from the pool would say nothing about replication.
    pub(crate) replicas: Vec<DatabaseConnection>,
    /// A replica that lags more is ejected.
    pub(crate) max_lag: Duration,
}

/// What a poll of the primary found.
struct Primary {
    /// Its position; none: it has no GTIDs.
    newest: Option<Commit>,
    is_read_only: bool,
    server_id: i64,
}

impl Watch {
    pub(crate) async fn run(mut self) {
        let mut history = History::default();
        let (mut polls, mut last_server_id) = (0_u32, None);
        let mut tick = tokio::time::interval(PERIOD);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            polls = polls.wrapping_add(1);
            if polls.is_multiple_of(POLLS_PER_CONNECTION) {
                self.primary = pool::dedicated(&self.primary);
            }
            let primary = within(POLL_DEADLINE, self.poll_primary()).await;
            let Some(rotation) = self.rotation.upgrade() else {
                return;
            };
            let primary = match primary {
                Ok(primary) if primary.is_read_only => {
                    // On a new connection: the address may lead to another server by now.
                    self.primary = pool::dedicated(&self.primary);
                    within(POLL_DEADLINE, self.poll_primary()).await
                }
                primary => primary,
            };
            if let Ok(primary) = &primary {
                self.switchover.set_read_only(primary.is_read_only);
                let server_id = Some(primary.server_id);
                if last_server_id.is_some() && last_server_id != server_id {
                    tracing::warn!(
                        "the primary's address leads to another server; connections to the old one are closed"
                    );
                    self.switchover.moved();
                }
                last_server_id = server_id;
                // A failure leaves the metrics as they are until the next poll.
                let _ = within(POLL_DEADLINE, semi_sync::update_metrics(&self.primary)).await;
            }
            self.poll_replicas(&rotation, &mut history, primary.ok())
                .await;
        }
    }

    async fn poll_primary(&self) -> Result<Primary, DbErr> {
        let dialect = known_dialect(&self.dialect, &self.primary).await?;
        let newest = dialect.newest();
        let sql = format!(
            "SELECT {newest} AS position, @@global.read_only AS read_only, CAST(@@global.server_id AS SIGNED) AS server_id"
        );
        let statement = Statement::from_string(DbBackend::MySql, sql);
        let row = self.primary.query_one_raw(statement).await?;
        let number = |column: &str| {
            row.as_ref()
                .map_or(Ok(0), |row| row.try_get::<i64>("", column))
        };
        Ok(Primary {
            is_read_only: number("read_only")? != 0,
            server_id: number("server_id")?,
            newest: dialect.commit(row.as_ref())?,
        })
    }

    async fn poll_replicas(
        &self,
        rotation: &Rotation,
        history: &mut History,
        primary: Option<Primary>,
    ) {
        let primary_answers = primary.is_some();
        let newest = primary.and_then(|primary| primary.newest);
        if let Some(newest) = &newest {
            rotation.observe(newest);
            if let Some(dialect) = self.dialect.get() {
                history.add(Gtids::parse(*dialect, &newest.gtid));
            }
        }
        let readmission = self.readmission(rotation, primary_answers, newest.as_ref());
        let polls = rotation.all().iter().zip(&self.replicas);
        let polls = polls.map(async |(replica, session)| {
            let poll = self.poll(session, history, primary_answers, newest.is_some());
            let found = within(POLL_DEADLINE, poll).await;
            replica.update(
                found.unwrap_or_else(|error| Err(error.to_string())),
                &readmission,
            );
        });
        join_all(polls).await;
        history.prune(rotation.all());
    }

    /// What an ejected replica must have to return.
    fn readmission(
        &self,
        rotation: &Rotation,
        primary_answers: bool,
        newest: Option<&Commit>,
    ) -> Readmission {
        let parse = |commit: &Commit| {
            let dialect = self.dialect.get();
            dialect.map(|dialect| Gtids::parse(*dialect, &commit.gtid))
        };
        if primary_answers {
            return newest
                .and_then(parse)
                .map_or(Readmission::Always, Readmission::CatchUp);
        }
        let seen = rotation.newest_observed();
        seen.as_ref()
            .and_then(parse)
            .map_or(Readmission::Never, Readmission::HasAll)
    }

    /// The state of a replica, or why it must be ejected.
    async fn poll(
        &self,
        session: &DatabaseConnection,
        history: &History,
        primary_answers: bool,
        has_gtids: bool,
    ) -> Result<Result<ReplicaStatus, String>, DbErr> {
        let dialect = known_dialect(&self.dialect, session).await?;
        let applied = dialect.query(session, dialect.applied()).await?;
        let applied = applied.map(|commit| Gtids::parse(dialect, &commit.gtid));
        let status = threads::status(session).await?;
        if let Some(thread) = threads::stopped(status.as_ref(), primary_answers)? {
            return Ok(Err(format!("its {thread} thread doesn't run")));
        }
        if let Some(why) = commit_order::reason_out_of_order(session, dialect).await? {
            return Ok(Err(why.to_owned()));
        }
        let lag = if primary_answers && !has_gtids {
            // Without GTIDs this is the only measure.
            threads::seconds_behind(status.as_ref())
        } else {
            history.age(applied.as_ref())
        };
        if lag > self.max_lag {
            return Ok(Err(format!("it is {} s behind", lag.as_secs())));
        }
        Ok(Ok(ReplicaStatus { applied, lag }))
    }
}
