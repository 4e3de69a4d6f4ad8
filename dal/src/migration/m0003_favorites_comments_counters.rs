//! Likes, comments, and the counts of both: the ledger that the writers append to and the counters that it is folded into.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

/// Who likes what: one row a like. `author_id` is the video's, which never changes: one event moves three counts.
/// `liked_us` orders the list: the primary's clock in microseconds, plus the place in the statement. `batch` is a random number
/// of the statement that inserted the row.
const FAVORITES: &str = "
CREATE TABLE IF NOT EXISTS favorites (
    user_id   BIGINT NOT NULL,
    video_id  BIGINT NOT NULL,
    author_id BIGINT NOT NULL,
    liked_us  BIGINT NOT NULL,
    batch     BIGINT NOT NULL,
    PRIMARY KEY (user_id, video_id),
    KEY favorites_list (user_id, liked_us, video_id),
    KEY favorites_video (video_id)
) ENGINE = InnoDB";

const COMMENTS: &str = "
CREATE TABLE IF NOT EXISTS comments (
    id         BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
    video_id   BIGINT       NOT NULL,
    user_id    BIGINT       NOT NULL,
    content    VARCHAR(500) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    created_ms BIGINT       NOT NULL,
    KEY comments_video (video_id, id)
) ENGINE = InnoDB";

/// What was counted since the last fold: written in the transaction of the row that is counted, never changed.
/// `kind` is a kind of counter, `target_id` the video or user whose counter it is.
const LEDGER: &str = "
CREATE TABLE IF NOT EXISTS ledger (
    id        BIGINT  NOT NULL AUTO_INCREMENT PRIMARY KEY,
    kind      TINYINT NOT NULL,
    target_id BIGINT  NOT NULL,
    delta     BIGINT  NOT NULL,
    KEY ledger_target (kind, target_id, delta)
) ENGINE = InnoDB";

/// What the folder added up. `dirty`: how many comparisons with Redis are left since it was last added to.
const COUNTERS: &str = "
CREATE TABLE IF NOT EXISTS counters (
    kind      TINYINT NOT NULL,
    target_id BIGINT  NOT NULL,
    value     BIGINT  NOT NULL,
    dirty     TINYINT NOT NULL,
    PRIMARY KEY (kind, target_id),
    KEY counters_dirty (dirty)
) ENGINE = InnoDB";

/// One row, what folders remember in common: which run of Redis was last compared with MySQL from end to end, and when that
/// ended. `marks` is counted up for the sake of the commit: it has a place in the order of all commits.
const FOLDER: &str = "
CREATE TABLE IF NOT EXISTS folder (
    id              TINYINT     NOT NULL PRIMARY KEY,
    marks           BIGINT      NOT NULL DEFAULT 0,
    redis_run_id    VARCHAR(64) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
    redis_passed_ms BIGINT      NOT NULL DEFAULT 0
) ENGINE = InnoDB";

const FOLDER_ROW: &str = "INSERT IGNORE INTO folder (id) VALUES (1)";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for statement in [FAVORITES, COMMENTS, LEDGER, COUNTERS, FOLDER, FOLDER_ROW] {
            manager
                .get_connection()
                .execute_unprepared(statement)
                .await?;
        }
        Ok(())
    }
}
