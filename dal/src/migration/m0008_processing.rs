//! Videos that aren't ready yet, what viewers get of them, and the jobs that make it. The columns have defaults: programs of the version
//! before store videos without them, which are ready at once.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

/// `published_ms` is NULL until the video is ready. `state`: 0 ready, 1 processing, 2 failed; `reason` then says why. `object_key` is what
/// plays: a derived object, or the upload until that is there. `original_key`: the upload, where it is kept. `small_height` > 0: there is a
/// small rendition, whose key follows from `object_key`.
const VIDEOS: &str = "
ALTER TABLE videos
    MODIFY published_ms BIGINT NULL,
    ADD COLUMN state TINYINT NOT NULL DEFAULT 0,
    ADD COLUMN progress TINYINT NOT NULL DEFAULT 0,
    ADD COLUMN reason VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL DEFAULT '',
    ADD COLUMN created_ms BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN original_key VARCHAR(100) CHARACTER SET ascii COLLATE ascii_bin NULL,
    ADD COLUMN has_small_cover BOOLEAN NOT NULL DEFAULT FALSE,
    ADD COLUMN bit_rate INT NOT NULL DEFAULT 0,
    ADD COLUMN small_height INT NOT NULL DEFAULT 0,
    ADD COLUMN small_bit_rate INT NOT NULL DEFAULT 0,
    ADD UNIQUE KEY videos_original_key (original_key)";

/// One row a video that is to be processed; it goes when the video is ready, has failed, or is deleted. `state`: 0 waiting, 1 taken.
/// `turn` orders the jobs, so that authors take turns. `token` names the attempt, which owns the row until `lease_until_ms` by the
/// primary's clock. `not_before_ms`: the pause after a failure.
const JOBS: &str = "
CREATE TABLE IF NOT EXISTS jobs (
    id             BIGINT  NOT NULL AUTO_INCREMENT PRIMARY KEY,
    video_id       BIGINT  NOT NULL,
    author_id      BIGINT  NOT NULL,
    state          TINYINT NOT NULL DEFAULT 0,
    turn           BIGINT  NOT NULL,
    attempts       INT     NOT NULL DEFAULT 0,
    token          CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '',
    lease_until_ms BIGINT  NOT NULL DEFAULT 0,
    not_before_ms  BIGINT  NOT NULL DEFAULT 0,
    UNIQUE KEY jobs_video (video_id),
    KEY jobs_turn (state, turn, id)
) ENGINE = InnoDB";

/// The turn of each author's newest job. Author 0, who is nobody: the turn of the job that was taken last.
const JOB_TURNS: &str = "
CREATE TABLE IF NOT EXISTS job_turns (
    author_id BIGINT NOT NULL PRIMARY KEY,
    turn      BIGINT NOT NULL
) ENGINE = InnoDB";

const CURRENT_TURN: &str = "INSERT IGNORE INTO job_turns (author_id, turn) VALUES (0, 0)";

/// What was published before is processed too, behind all other jobs, the newest of each author first.
const OLD_VIDEOS: &str = "
INSERT IGNORE INTO jobs (video_id, author_id, turn)
SELECT id, author_id, 1000000000000 + ROW_NUMBER() OVER (PARTITION BY author_id ORDER BY id DESC)
FROM videos WHERE created_ms = 0";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        if !manager.has_column("videos", "original_key").await? {
            connection.execute_unprepared(VIDEOS).await?;
        }
        for statement in [JOBS, JOB_TURNS, CURRENT_TURN, OLD_VIDEOS] {
            connection.execute_unprepared(statement).await?;
        }
        Ok(())
    }
}
