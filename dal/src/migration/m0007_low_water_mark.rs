//! Where the ledger begins, and which counters are to be compared with Redis, so that neither is read over what is done already.

use sea_orm_migration::prelude::*;

#[derive(DeriveMigrationName)]
pub(super) struct Migration;

/// `generation`: the folder's when the row was written; 0 in rows of older processes. The index keeps its name, for they force it; what they
/// read of it is in the new one, too.
const LEDGER: &str = "
ALTER TABLE ledger
    ADD COLUMN generation BIGINT NOT NULL DEFAULT 0,
    DROP KEY ledger_target,
    ADD KEY ledger_target (kind, target_id, generation, delta)";

/// `compare_round`: the round of comparisons in which the counter was last added to. `dirty` is what older processes have instead: a later
/// release drops it.
const COUNTERS: &str = "
ALTER TABLE counters
    ADD COLUMN compare_round BIGINT NOT NULL DEFAULT 0,
    MODIFY COLUMN dirty TINYINT NOT NULL DEFAULT 0,
    ADD KEY counters_compare (compare_round)";

/// `low_water_mark`: no row of the ledger has an id up to this one, and none will; `next_mark`: what it becomes next, or 0; `generation`: of
/// new rows; `marked_ms`: when one of these moved last. `folded_ms`: all that was committed before is folded. Counters of the rounds
/// before `compare_from` are compared.
const FOLDER: &str = "
ALTER TABLE folder
    ADD COLUMN low_water_mark BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN next_mark      BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN generation     BIGINT NOT NULL DEFAULT 1,
    ADD COLUMN marked_ms      BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN folded_ms      BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN compare_round  BIGINT NOT NULL DEFAULT 1,
    ADD COLUMN compare_from   BIGINT NOT NULL DEFAULT 1";

const FOLDED: &str = "
UPDATE folder SET folded_ms = CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED) WHERE id = 1 AND folded_ms = 0";

/// What nobody reads since `favorites_place`, and every like pays for.
const FAVORITES_LIST: &str = "ALTER TABLE favorites DROP KEY favorites_list";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let connection = manager.get_connection();
        if !manager.has_column("ledger", "generation").await? {
            connection.execute_unprepared(LEDGER).await?;
        }
        if !manager.has_column("counters", "compare_round").await? {
            connection.execute_unprepared(COUNTERS).await?;
        }
        if !manager.has_column("folder", "low_water_mark").await? {
            connection.execute_unprepared(FOLDER).await?;
        }
        connection.execute_unprepared(FOLDED).await?;
        if manager.has_index("favorites", "favorites_list").await? {
            connection.execute_unprepared(FAVORITES_LIST).await?;
        }
        Ok(())
    }
}
