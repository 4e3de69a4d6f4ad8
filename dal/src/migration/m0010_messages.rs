//! Messages between two users.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

/// One row for two users who have written to each other, `low_id` the smaller of their ids. `last_ms` is the time of their latest message:
/// whoever sends locks this row until the commit, so that messages are committed in the order of their times. `message_count`: how many
/// were ever sent.
const CONVERSATIONS: &str = "
CREATE TABLE IF NOT EXISTS conversations (
    low_id        BIGINT NOT NULL,
    high_id       BIGINT NOT NULL,
    last_ms       BIGINT NOT NULL,
    message_count BIGINT NOT NULL,
    PRIMARY KEY (low_id, high_id)
) ENGINE = InnoDB";

/// Clustered by conversation and time: a chat is read from one range. `created_ms` is the place in the chat and its cursor.
const MESSAGES: &str = "
CREATE TABLE IF NOT EXISTS messages (
    id         BIGINT       NOT NULL AUTO_INCREMENT,
    low_id     BIGINT       NOT NULL,
    high_id    BIGINT       NOT NULL,
    created_ms BIGINT       NOT NULL,
    from_id    BIGINT       NOT NULL,
    content    VARCHAR(500) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    PRIMARY KEY (low_id, high_id, created_ms),
    UNIQUE KEY messages_id (id)
) ENGINE = InnoDB";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [CONVERSATIONS, MESSAGES] {
            manager.get_connection().execute_unprepared(table).await?;
        }
        Ok(())
    }
}
