//! Connects a process that writes to its database and counters, with readiness checks, and registers it as a writer until its end.

use dal::{Db, Marks, counters::Counters};
use service::{BoxError, Need, Process};

/// The database with its marks, and the counters.
#[derive(Clone)]
pub struct DataLayer {
    /// Every write sets marks.
    pub db: Db,
    /// In front of the same database.
    pub counters: Counters,
}

impl DataLayer {
    /// Connects lazily, and adds readiness checks of the database servers, their GTIDs and Redis. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// A URL in the settings that can't be read.
    pub fn connect(process: &Process) -> Result<Self, BoxError> {
        let settings = process.settings();
        let marks = Marks::connect(&settings.redis, &settings.mysql)?;
        let db = Db::connect(&settings.mysql)?.with_marks(marks);
        check_servers(process, &db);
        let primary = db.clone();
        process.check("gtids", Need::Optional, move || primary.clone().has_gtids());
        let counters = Counters::connect(&settings.redis, db.clone())?;
        let redis = counters.clone();
        process.check("redis", Need::Optional, move || redis.clone().ping());
        Ok(Self { db, counters })
    }

    /// Before the first write: waits, for 3 s at most, until other processes would notice the end of this one.
    pub async fn join(&self) {
        self.db.join(&self.counters).await;
    }

    /// After the last write: the others needn't find out that this process is gone.
    pub async fn leave(&self) {
        self.db.leave(&self.counters).await;
    }
}

/// Adds a readiness check of each database server. The primary is required; replicas are optional.
pub fn check_servers(process: &Process, db: &Db) {
    for server in db.servers() {
        let need = Need::required_if(server.is_primary());
        process.check(&server.name(), need, move || server.clone().ping());
    }
}
