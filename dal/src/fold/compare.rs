//! Compares Redis with the counters that were folded lately: each at once, and again in the next round. A writer's message that was on its
//! way at the first comparison has arrived by then, or its deadline has passed.
//!
//! Rounds are numbered. A fold notes in each counter the round before which it was added to; a round compares those of the round before and
//! of the one before that (`compare_from`). So nothing is written for each counter, and what was compared is never read again.

use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, QueryResult, Statement};
use telemetry::metrics::{self, Repair};

use super::step::step;
use crate::{
    DalError, Db,
    counters::Counters,
    counts::{self, Counter},
    pool::execute_text,
    position::{self, Position},
};

/// What a round of comparisons has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Compared {
    /// Counters that were compared with Redis.
    pub counters: usize,
    /// Whether Redis was away; the next round compares them.
    pub redis_away: bool,
}
use marks::{Consistency, Reader};

/// Counters compared with Redis at once.
const PAGE: usize = 500;

/// A counter that Redis is to be compared with, and its place in the order in which they are compared.
#[derive(Clone, Copy)]
struct Due {
    round: i64,
    kind: i8,
    target_id: i64,
}

/// A round; `session` holds the lock.
pub(super) async fn round(
    db: &Db,
    counters: &Counters,
    session: &DatabaseTransaction,
) -> Result<Compared, DalError> {
    let mut compared = Compared::default();
    let (from, _) = step(progress(session)).await?;
    if step(page(session, first_of(from), i64::MAX))
        .await?
        .is_empty()
    {
        return Ok(compared);
    }
    // A commit: counts that are read later include all commits up to it.
    let begun = step(async {
        let sql = "UPDATE folder SET compare_round = compare_round + 1 WHERE id = 1";
        execute_text(session, sql).await?;
        let (_, this) = progress(session).await?;
        position::commit_and_chain(session).await?;
        Ok::<_, DbErr>((this, position::last_commit(db, session).await?))
    });
    let (this, commit) = begun.await?;
    let mut after = first_of(from);
    loop {
        let page = step(page(session, after, this)).await?;
        let Some(last) = page.last() else { break };
        after = *last;
        // A kind that only a newer version knows is none.
        let known = page
            .iter()
            .filter_map(|due| Counter::from_parts(due.kind, due.target_id));
        let known: Vec<Counter> = known.collect();
        let Some(commit) = &commit else {
            // Without GTIDs nothing in Redis can be ordered, so nothing is there.
            counters.invalidate(&known).await;
            continue;
        };
        // A replica that has the commit will do: what is compared includes it.
        let reader = Reader {
            affinity: None,
            consistency: Consistency::UpTo {
                commit: commit.clone(),
                marked: false,
            },
        };
        let exact = counts::exact_on(&db.read_in_background(&reader), &known).await?;
        match counters.compare(Position { seq: commit.seq }, &exact).await {
            Ok(repaired) => metrics::counters_repaired(Repair::Fold, repaired),
            Err(error) => {
                tracing::info!(%error, "Redis not compared; the next round does");
                compared.redis_away = true;
                return Ok(compared);
            }
        }
        compared.counters += page.len();
    }
    // Those of the round before this one are due once more.
    let sql = format!(
        "UPDATE folder SET compare_from = GREATEST(compare_from, {this} - 1) WHERE id = 1; COMMIT AND CHAIN"
    );
    step(execute_text(session, &sql)).await?;
    Ok(compared)
}

/// From which round on counters are due, and the number of the last round.
async fn progress(session: &DatabaseTransaction) -> Result<(i64, i64), DbErr> {
    let sql = "SELECT compare_from, compare_round FROM folder WHERE id = 1";
    let statement = Statement::from_string(DbBackend::MySql, sql);
    let row = session.query_one_raw(statement).await?;
    let row = row.ok_or_else(|| DbErr::RecordNotFound("the row of folder".to_owned()))?;
    Ok((
        row.try_get("", "compare_from")?,
        row.try_get("", "compare_round")?,
    ))
}

/// The place before all counters of a round.
fn first_of(round: i64) -> Due {
    Due {
        round,
        kind: i8::MIN,
        target_id: i64::MIN,
    }
}

/// At most [`PAGE`] counters behind `after`, of the rounds before `this`.
async fn page(session: &DatabaseTransaction, after: Due, this: i64) -> Result<Vec<Due>, DbErr> {
    let place = (after.round, after.kind, after.target_id);
    let rows = session.query_all_raw(due(place, this)).await?;
    let due = |row: &QueryResult| {
        Ok(Due {
            round: row.try_get("", "compare_round")?,
            kind: row.try_get("", "kind")?,
            target_id: row.try_get("", "target_id")?,
        })
    };
    rows.iter().map(due).collect()
}

/// The counters behind a place (round, kind, id), of the rounds before `this`.
pub(super) fn due((round, kind, target_id): (i64, i8, i64), this: i64) -> Statement {
    let sql = format!(
        "SELECT compare_round, kind, target_id FROM counters FORCE INDEX (counters_compare) \
         WHERE ((compare_round = ? AND kind = ? AND target_id > ?) OR (compare_round = ? AND kind > ?) OR compare_round > ?) \
         AND compare_round < ? ORDER BY compare_round, kind, target_id LIMIT {PAGE}"
    );
    let values = [
        round.into(),
        kind.into(),
        target_id.into(),
        round.into(),
        kind.into(),
        round.into(),
        this.into(),
    ];
    Statement::from_sql_and_values(DbBackend::MySql, sql, values)
}
