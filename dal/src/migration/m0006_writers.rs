//! The processes that write to Redis, and whether each has acknowledged a commit that Redis wasn't told of.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

/// One row a process and a database of Redis (`name`), as long as the process may acknowledge writes. `state`: 0 well; 1 has
/// acknowledged what it couldn't tell Redis; 2 and 3 the same, and found dead.
const WRITERS: &str = "
CREATE TABLE IF NOT EXISTS writers (
    name  VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    id    CHAR(16)    CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    state TINYINT     NOT NULL DEFAULT 0,
    PRIMARY KEY (name, id)
) ENGINE = InnoDB";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        connection.execute_unprepared(WRITERS).await?;
        Ok(())
    }
}
