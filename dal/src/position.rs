//! Positions: the order of commits, which decides which of two exact counts is newer.
//!
//! A server gives its commits GTIDs in the order in which they become visible. Only positions of visible commits are used here. A server's
//! newest GTID isn't one: MariaDB reports it while the commit still waits for a replica. A server without GTIDs has no positions.

use marks::Commit;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr};
use telemetry::metrics::Verb;

use crate::{
    DalError, Db,
    db::WRITE_DEADLINE,
    observe::on_primary,
    pool::{execute_text, within},
};

/// The position of a commit among all commits of the primary; a later one is greater. [`Position::default`] is before all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// From 1 up; 0 is before every commit.
    pub seq: u64,
}

impl From<Commit> for Position {
    fn from(commit: Commit) -> Self {
        Self { seq: commit.seq }
    }
}

/// Commits `transaction` and begins a new one on the same connection.
pub(crate) async fn commit_and_chain(transaction: &DatabaseTransaction) -> Result<(), DbErr> {
    execute_text(transaction, "COMMIT AND CHAIN").await?;
    Ok(())
}

/// The last commit on `session`; none on a server without GTIDs.
pub(crate) async fn last_commit<C: ConnectionTrait>(
    db: &Db,
    session: &C,
) -> Result<Option<Commit>, DbErr> {
    let dialect = db.dialect(session).await?;
    dialect.query(session, dialect.last_commit()).await
}

/// The newest commit of the server of `session`: it covers every commit that the session can have read. None on a server without GTIDs.
pub(crate) async fn newest<C: ConnectionTrait>(
    db: &Db,
    session: &C,
) -> Result<Option<Commit>, DbErr> {
    let dialect = db.dialect(session).await?;
    dialect.query(session, dialect.newest()).await
}

/// Makes a commit without other effect and returns it: what is read afterwards includes all commits up to it. None on a server without GTIDs.
pub(crate) async fn mark(db: &Db) -> Result<Option<Commit>, DalError> {
    let work = within(WRITE_DEADLINE, async {
        let session = db.write().begin().await?;
        Ok(mark_on(db, &session).await?)
    });
    on_primary(Verb::Background, work).await
}

/// [`mark`] on a session without open changes.
pub(crate) async fn mark_on(
    db: &Db,
    session: &DatabaseTransaction,
) -> Result<Option<Commit>, DbErr> {
    execute_text(session, "UPDATE folder SET marks = marks + 1 WHERE id = 1").await?;
    commit_and_chain(session).await?;
    last_commit(db, session).await
}
