//! A named lock on the primary (`GET_LOCK`), for work that one process at a time does. It is held by the connection that does the work.

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
/// The server closes a connection that is silent for so long, which frees its lock. Longer than any pause in the work.
const SILENCE_SECONDS: u32 = 30;
/// For closing the connection.
const CLOSE_DEADLINE: Duration = Duration::from_secs(1);

/// A lock by name, on a connection of its own. It ends with the connection, which also ends after 30 s of silence. So the work under it
/// must be harmless if two processes do it at once.
pub struct Lock {
    connection: DatabaseConnection,
    /// The holder's session.
    pub(crate) session: DatabaseTransaction,
}

/// The SQL expression for the server's name of this database's lock; `name` is an SQL expression, too.
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
            // Locks belong to the server, not to a database. A name has 64 characters at most.
            let sql = format!("SELECT GET_LOCK({}, 0) AS locked", on_the_server("?"));
            let statement = Statement::from_sql_and_values(DbBackend::MySql, sql, [name.into()]);
            let row = session.query_one_raw(statement).await?;
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

    /// Rolls back what isn't committed, releases the lock and closes the connection. The server would also notice the closed connection,
    /// but later, and this process may need the lock again at once.
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

/// If the server doesn't answer, the socket is closed without a goodbye.
pub(crate) async fn close(connection: DatabaseConnection) {
    let _ = within(CLOSE_DEADLINE, connection.close()).await;
}
