//! Who follows whom.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

/// One row a follow: `user_id` follows `followed_id`. `id` orders both lists and is their cursor. Both lists are read from their index
/// alone.
const FOLLOWS: &str = "
CREATE TABLE IF NOT EXISTS follows (
    id          BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    user_id     BIGINT NOT NULL,
    followed_id BIGINT NOT NULL,
    UNIQUE KEY follows_pair (user_id, followed_id),
    KEY follows_list (user_id, id, followed_id),
    KEY follows_followers (followed_id, id, user_id)
) ENGINE = InnoDB";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        connection.execute_unprepared(FOLLOWS).await?;
        Ok(())
    }
}
