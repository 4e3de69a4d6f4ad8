//! Videos, the uploads they come from, and the keys that make a repeated request harmless.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

/// `published_ms` orders the feed and is its cursor, hence unique. `sha256` is lower-case hex.
const VIDEOS: &str = "
CREATE TABLE IF NOT EXISTS videos (
    id           BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
    author_id    BIGINT       NOT NULL,
    title        VARCHAR(100) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    object_key   VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    cover_key    VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    size_bytes   BIGINT       NOT NULL,
    sha256       CHAR(64)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    duration_ms  BIGINT       NOT NULL,
    width        INT          NOT NULL,
    height       INT          NOT NULL,
    published_ms BIGINT       NOT NULL,
    UNIQUE KEY videos_published_ms (published_ms),
    UNIQUE KEY videos_object_key (object_key),
    KEY videos_author (author_id, published_ms)
) ENGINE = InnoDB";

/// What the object store may hold that no video refers to. `upload_id` is the store's, of a multipart upload; `aborting` rows
/// can no longer be published.
const UPLOADS: &str = "
CREATE TABLE IF NOT EXISTS uploads (
    object_key VARCHAR(100)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    upload_id  VARCHAR(1024) CHARACTER SET ascii COLLATE ascii_bin NULL,
    author_id  BIGINT        NOT NULL,
    aborting   BOOLEAN       NOT NULL DEFAULT FALSE,
    created_at DATETIME(3)   NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    KEY uploads_created_at (created_at)
) ENGINE = InnoDB";

/// One row a request that carried a key: the row it made (`result_id`, `created_ms`), and a digest of what was asked (`fingerprint`,
/// lower-case hex), written in the transaction of that row. `kind` says which table `result_id` is of.
const IDEMPOTENCY_KEYS: &str = "
CREATE TABLE IF NOT EXISTS idempotency_keys (
    user_id         BIGINT       NOT NULL,
    kind            VARCHAR(16)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    idempotency_key VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    fingerprint     CHAR(64)     CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    result_id       BIGINT       NOT NULL,
    created_ms      BIGINT       NOT NULL,
    PRIMARY KEY (user_id, kind, idempotency_key),
    KEY idempotency_keys_created_ms (created_ms)
) ENGINE = InnoDB";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [VIDEOS, UPLOADS, IDEMPOTENCY_KEYS] {
            manager.get_connection().execute_unprepared(table).await?;
        }
        Ok(())
    }
}
