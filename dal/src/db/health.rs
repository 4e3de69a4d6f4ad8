//! Readiness checks of the database servers, one by one, and the metrics of their pools and of the rotation.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement};
use telemetry::metrics;

use super::Db;
use crate::{DalError, pool::retry_broken_connection};

/// One of the servers. Cheap to clone.
#[derive(Clone)]
pub struct Server {
    db: Db,
    which: metrics::Server,
}

impl Db {
    /// Checks that the primary has GTIDs. Without them every read goes to the primary and every count to MySQL: correct but slow. The
    /// error names the server's settings.
    pub async fn has_gtids(self) -> Result<(), DalError> {
        let primary = &self.primary;
        let dialect = self.dialect(primary).await?;
        match dialect.query(primary, dialect.newest()).await? {
            Some(_) => Ok(()),
            None => {
                let reason = format!(
                    "the primary has no GTIDs, so it answers all reads and counts itself: {}",
                    dialect.to_have_gtids()
                );
                Err(DalError::Unavailable(DbErr::Custom(reason)))
            }
        }
    }

    /// The primary, then the replicas in the order of the settings.
    pub fn servers(&self) -> Vec<Server> {
        let replicas = (0..self.rotation.all().len()).map(metrics::Server::Replica);
        std::iter::once(metrics::Server::Primary)
            .chain(replicas)
            .map(|which| Server {
                db: self.clone(),
                which,
            })
            .collect()
    }

    /// Registers the metrics of the pools and of the rotation, until the pools are closed.
    pub(super) fn register_metrics(&self) {
        for server in self.servers() {
            let Some(connection) = server.connection() else {
                continue;
            };
            let pool = connection.get_mysql_connection_pool().clone();
            let max = pool.options().get_max_connections();
            metrics::watch_pool(server.which, max, move || {
                (!pool.is_closed()).then(|| (pool.size(), pool.num_idle()))
            });
        }
        self.fallback.register_metrics();
        for (index, replica) in self.rotation.all().iter().enumerate() {
            let replica = std::sync::Arc::downgrade(replica);
            metrics::watch_replica(index, move || {
                let replica = replica.upgrade()?;
                Some((replica.in_rotation(), replica.lag()))
            });
        }
    }
}

impl Server {
    /// "primary", "replica-1", "replica-2", …
    pub fn name(&self) -> String {
        self.which.name().into_owned()
    }

    /// Whether writes go here.
    pub fn is_primary(&self) -> bool {
        self.which == metrics::Server::Primary
    }

    /// Whether it answers. For the primary, also whether it takes writes. For a replica, also whether reads go there. Only the wait for a
    /// connection bounds it.
    pub async fn ping(self) -> Result<(), DalError> {
        let Some(connection) = self.connection() else {
            return Ok(());
        };
        if !self.is_primary() {
            retry_broken_connection(connection, |c| c.ping()).await?;
            return self.check_rotation();
        }
        let sql = "SELECT @@global.read_only AS read_only";
        let statement = Statement::from_string(DbBackend::MySql, sql);
        let row =
            retry_broken_connection(connection, |c| c.query_one_raw(statement.clone())).await?;
        let read_only: i64 = row.map_or(Ok(0), |row| row.try_get("", "read_only"))?;
        if read_only == 0 {
            Ok(())
        } else {
            let reason = DbErr::Custom("the primary is read-only".to_owned());
            Err(DalError::Unavailable(reason))
        }
    }

    /// Whether reads go to this replica; if not, why.
    fn check_rotation(&self) -> Result<(), DalError> {
        let metrics::Server::Replica(index) = self.which else {
            return Ok(());
        };
        let replica = self.db.rotation.all().get(index);
        match replica.and_then(|replica| replica.why_ejected()) {
            Some(reason) => Err(DalError::Unavailable(DbErr::Custom(reason))),
            None => Ok(()),
        }
    }

    fn connection(&self) -> Option<&DatabaseConnection> {
        match self.which {
            metrics::Server::Primary => Some(&self.db.primary),
            metrics::Server::Replica(index) => self
                .db
                .rotation
                .all()
                .get(index)
                .map(|replica| &replica.read_pool.connection),
        }
    }
}
