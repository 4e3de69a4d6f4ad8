//! Test harness: commits batches the way a worker does, for unit tests of an [`Op`].

use std::time::Instant;

use super::{Attempt, Op, session::Session};
use crate::{DalError, Db, ledger::RedisUpdate};

/// Commits batches one by one.
pub(crate) struct Harness {
    db: Db,
    session: Session,
}

impl Harness {
    pub(crate) fn new(db: &Db) -> Self {
        Self {
            db: db.clone(),
            session: Session::new(db.clone()),
        }
    }

    /// Commits `ops` behind a statement on the same connection.
    pub(crate) async fn commit_after<O: Op>(
        &mut self,
        statement: &str,
        ops: &[O],
        deadline: Instant,
    ) -> Result<Vec<Result<O::Output, DalError>>, DalError> {
        let dialect = self.db.primary_dialect().await?;
        // Open, and so the connection is kept.
        self.session.send(statement.to_owned()).await.result?;
        let mut attempt = Attempt {
            session: &mut self.session,
            dialect,
            deadline,
            update: &mut RedisUpdate::default(),
        };
        let ops: Vec<&O> = ops.iter().collect();
        Ok(O::commit(&ops, &mut attempt).await?.0)
    }
}
