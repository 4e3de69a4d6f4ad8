//! The reaper's state: the bucket that is bound to this database, how far it has looked, and the objects without a row.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

/// One row: the UUID that the bucket's marker object holds, too. No row: not tied to a bucket yet.
const BUCKET: &str = "
CREATE TABLE IF NOT EXISTS bucket (
    id        TINYINT  NOT NULL PRIMARY KEY,
    marker    CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    bound_ms  BIGINT   NOT NULL
) ENGINE = InnoDB";

/// For each prefix: each object up to this key was looked at.
const REAPER_WATERMARKS: &str = "
CREATE TABLE IF NOT EXISTS reaper_watermarks (
    prefix     VARCHAR(32)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    object_key VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL
) ENGINE = InnoDB";

/// Objects that no row knew when they were first seen. They are deleted when they are still unknown long after.
const UNKNOWN_OBJECTS: &str = "
CREATE TABLE IF NOT EXISTS unknown_objects (
    object_key    VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    first_seen_ms BIGINT       NOT NULL,
    KEY unknown_objects_first_seen (first_seen_ms, object_key)
) ENGINE = InnoDB";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [BUCKET, REAPER_WATERMARKS, UNKNOWN_OBJECTS] {
            manager.get_connection().execute_unprepared(table).await?;
        }
        Ok(())
    }
}
