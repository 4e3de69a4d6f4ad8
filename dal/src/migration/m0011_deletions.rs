//! What deletions and moderation need: tombstones, the deletions that are under way, what ends a user's tokens, who blocks whom, and the log
//! of moderation.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

/// Videos (`kind` 1) and users (2) that are deleted. No row that refers to one of them is inserted after it is here. Ids aren't given twice, so the
/// rows stay.
const FAVORITE_TOMBSTONES: &str = "
CREATE TABLE IF NOT EXISTS favorite_tombstones (
    kind      TINYINT NOT NULL,
    target_id BIGINT  NOT NULL,
    PRIMARY KEY (kind, target_id)
) ENGINE = InnoDB";

const COMMENT_TOMBSTONES: &str = "
CREATE TABLE IF NOT EXISTS comment_tombstones (
    kind      TINYINT NOT NULL,
    target_id BIGINT  NOT NULL,
    PRIMARY KEY (kind, target_id)
) ENGINE = InnoDB";

const FOLLOW_TOMBSTONES: &str = "
CREATE TABLE IF NOT EXISTS follow_tombstones (
    kind      TINYINT NOT NULL,
    target_id BIGINT  NOT NULL,
    PRIMARY KEY (kind, target_id)
) ENGINE = InnoDB";

/// Users who publish no more.
const VIDEO_TOMBSTONES: &str = "
CREATE TABLE IF NOT EXISTS video_tombstones (
    kind      TINYINT NOT NULL,
    target_id BIGINT  NOT NULL,
    PRIMARY KEY (kind, target_id)
) ENGINE = InnoDB";

/// Videos whose row is gone, and whose likes, comments and objects may not be. `object_keys`: separated by line feeds.
const VIDEO_DELETIONS: &str = "
CREATE TABLE IF NOT EXISTS video_deletions (
    video_id    BIGINT NOT NULL PRIMARY KEY,
    author_id   BIGINT NOT NULL,
    object_keys TEXT   CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    begun_ms    BIGINT NOT NULL
) ENGINE = InnoDB";

/// Accounts that are deleted, and of which other services may still have something.
const USER_DELETIONS: &str = "
CREATE TABLE IF NOT EXISTS user_deletions (
    user_id  BIGINT NOT NULL PRIMARY KEY,
    begun_ms BIGINT NOT NULL
) ENGINE = InnoDB";

/// Pictures of profiles that the object store has or is about to have. `state`: 0 not used yet, 1 some profile has it, 2 dropped.
/// `created_at`: of one that is dropped, when that was.
const USER_PICTURES: &str = "
CREATE TABLE IF NOT EXISTS user_pictures (
    object_key VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    user_id    BIGINT       NOT NULL,
    state      TINYINT      NOT NULL,
    created_at DATETIME(3)  NOT NULL DEFAULT CURRENT_TIMESTAMP(3),
    KEY user_pictures_state (state, created_at)
) ENGINE = InnoDB";

/// Who doesn't want to hear from whom.
const BLOCKS: &str = "
CREATE TABLE IF NOT EXISTS blocks (
    user_id    BIGINT NOT NULL,
    blocked_id BIGINT NOT NULL,
    blocked_ms BIGINT NOT NULL,
    PRIMARY KEY (user_id, blocked_id)
) ENGINE = InnoDB";

/// What operators did. `target_id`: of a video, a comment or a user, as `action` says.
const MODERATIONS: &str = "
CREATE TABLE IF NOT EXISTS moderations (
    id        BIGINT       NOT NULL AUTO_INCREMENT PRIMARY KEY,
    action    VARCHAR(32)  CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    target_id BIGINT       NOT NULL,
    reason    VARCHAR(500) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
    done_ms   BIGINT       NOT NULL
) ENGINE = InnoDB";

/// `token_epoch`: tokens of a lower one have ended. `state`: 0 active, 1 suspended, 2 deleted.
const USERS_CARE: &str = "
ALTER TABLE users
    ADD COLUMN token_epoch BIGINT  NOT NULL DEFAULT 0,
    ADD COLUMN state       TINYINT NOT NULL DEFAULT 0";

/// All comments of one user, for the deletion of their account.
const COMMENTS_USER: &str = "ALTER TABLE comments ADD KEY comments_user (user_id, id)";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        for table in [
            FAVORITE_TOMBSTONES,
            COMMENT_TOMBSTONES,
            FOLLOW_TOMBSTONES,
            VIDEO_TOMBSTONES,
            VIDEO_DELETIONS,
            USER_DELETIONS,
            USER_PICTURES,
            BLOCKS,
            MODERATIONS,
        ] {
            connection.execute_unprepared(table).await?;
        }
        if !manager.has_column("users", "token_epoch").await? {
            connection.execute_unprepared(USERS_CARE).await?;
        }
        if !manager.has_index("comments", "comments_user").await? {
            connection.execute_unprepared(COMMENTS_USER).await?;
        }
        Ok(())
    }
}
