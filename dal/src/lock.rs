//! One at a time, in all processes: a lock by name on the connection that does the work.

use std::time::Duration;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, Statement,
    TransactionTrait,
};
use telemetry::metrics::Verb;

use crate::{
    DalError, Db,
    observe::on_primary,
    pool::{execute_text, within},
};

/// For connecting and asking.
const TAKE_DEADLINE: Duration = Duration::from_secs(5);
/// A holder that says nothing for so long is cut off, and the lock is free: longer than any pause that work makes.
const SILENCE_SECONDS: u32 = 30;
/// For taking leave of the server.
const CLOSE_DEADLINE: Duration = Duration::from_secs(1);

/// A lock by name, on a connection of its own: it ends with the connection, however that ends, also after 30 s in which nothing was
/// said over it. So what is done under it alone must be harmless when two do it at once.
pub struct Lock {
    connection: DatabaseConnection,
    /// Where the holder writes.
    pub(crate) session: DatabaseTransaction,
}

/// What the server calls the lock of this database that an SQL expression names.
pub(crate) fn on_the_server(name: &str) -> String {
    format!("CONCAT({name}, ' ', LEFT(SHA2(DATABASE(), 256), 32))")
}

impl Lock {
    /// Takes the lock with this name; `None` when somebody else has it.
    pub async fn take(db: &Db, name: &str) -> Result<Option<Self>, DalError> {
        let connection = db.own_connection();
        let take = within(TAKE_DEADLINE, async {
            let session = connection.begin().await?;
            let sql = format!("SET SESSION wait_timeout = {SILENCE_SECONDS}");
            execute_text(&session, &sql).await?;
            // A lock is the server's, not the database's; its name has 64 characters at most.
            let sql = format!("SELECT GET_LOCK({}, 0) AS locked", on_the_server("?"));
            let ask = Statement::from_sql_and_values(DbBackend::MySql, sql, [name.into()]);
            let row = session.query_one_raw(ask).await?;
            let locked: Option<Option<i64>> =
                row.map(|row| row.try_get("", "locked")).transpose()?;
            Ok::<_, DbErr>((session, locked.flatten() == Some(1)))
        });
        match on_primary(Verb::Background, take).await {
            Ok((session, true)) => Ok(Some(Self {
                connection,
                session,
            })),
            Ok((session, false)) => {
                drop(session);
                close(connection).await;
                Ok(None)
            }
            Err(error) => {
                close(connection).await;
                Err(error.into())
            }
        }
    }

    /// Takes back what isn't committed, gives the lock back, and closes the connection. The server would notice the end of a
    /// connection by itself, but when it finds the time; the next holder may be us.
    pub async fn release(self) {
        let Self {
            connection,
            session,
        } = self;
        let free = execute_text(&session, "ROLLBACK; DO RELEASE_ALL_LOCKS()");
        let _ = within(CLOSE_DEADLINE, free).await;
        drop(session);
        close(connection).await;
    }
}

/// When the server doesn't answer, the socket is closed without a word.
async fn close(connection: DatabaseConnection) {
    let _ = within(CLOSE_DEADLINE, connection.close()).await;
}
