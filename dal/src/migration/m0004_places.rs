//! A cursor for each list: a whole number that no other row of the list has, so that pages continue there whatever was deleted.

use sea_orm_migration::prelude::*;

use crate::error::is_duplicate;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

/// Likes of one user in one microsecond are moved apart, in the order in which the list had them.
const TIES: &str = "
UPDATE favorites JOIN (
    SELECT user_id, video_id, ROW_NUMBER() OVER (PARTITION BY user_id, liked_us ORDER BY video_id) - 1 AS later
    FROM favorites JOIN (
        SELECT user_id, liked_us FROM favorites GROUP BY user_id, liked_us HAVING COUNT(*) > 1
    ) AS ties USING (user_id, liked_us)
) AS tied ON tied.user_id = favorites.user_id AND tied.video_id = favorites.video_id
SET favorites.liked_us = favorites.liked_us + tied.later
WHERE tied.later > 0";

const FAVORITES_PLACE: &str =
    "ALTER TABLE favorites ADD UNIQUE KEY favorites_place (user_id, liked_us)";
/// Beside `videos_author`, which older processes read, as they read `favorites_list`: a later release drops what nobody reads.
const WORKS: &str = "ALTER TABLE videos ADD KEY videos_works (author_id, id)";

/// A tie that is moved may meet the next like, and an older process may write ties meanwhile.
const ROUNDS: usize = 1000;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        if !manager.has_index("favorites", "favorites_place").await? {
            let mut rounds = 0;
            loop {
                connection.execute_unprepared(TIES).await?;
                match connection.execute_unprepared(FAVORITES_PLACE).await {
                    Err(e) if is_duplicate(&e) && rounds < ROUNDS => rounds += 1,
                    result => {
                        result?;
                        break;
                    }
                }
            }
        }
        if !manager.has_index("videos", "videos_works").await? {
            connection.execute_unprepared(WORKS).await?;
        }
        Ok(())
    }
}
