//! Which video an upload was replaced in, so that a deletion of the video finds it. Programs of the version before leave the column NULL: what
//! they replace, the reaper removes.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

/// `video_id`: of the video that was made of it. Such a row is of an object that is to be removed.
const UPLOADS: &str = "
ALTER TABLE uploads
    ADD COLUMN video_id BIGINT NULL,
    ADD KEY uploads_video (video_id)";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        if !manager.has_column("uploads", "video_id").await? {
            manager.get_connection().execute_unprepared(UPLOADS).await?;
        }
        Ok(())
    }
}
