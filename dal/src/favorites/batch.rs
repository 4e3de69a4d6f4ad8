//! Likes and unlikes of different pairs of user and video, as one transaction in one trip, or two.

use std::{
    collections::{BTreeSet, HashMap},
    fmt::Write as _,
};

use marks::Subject;
use sea_orm::DbErr;

use super::FavoriteOp;
use crate::{
    DalError,
    counts::Counter,
    group_commit::{Answer, Attempt, BEGIN_ANEW, Begin, Committed, Op, Outcome},
    ledger::Deltas,
    tombstones::{self, Deleted, Tombstones},
};

/// How often a batch reads and writes before it fails. It repeats when another process was faster, or when another like of the user has the
/// same time stamp.
const MAX_ATTEMPTS: usize = 3;
/// The primary's clock, in microseconds.
const NOW_US: &str = "CAST(UNIX_TIMESTAMP(NOW(6)) * 1000000 AS SIGNED)";

/// What is to be written of a batch, in the order of the keys, so that batches at once rarely lock crosswise; each with its place in the
/// order of arrival.
struct Changes {
    likes: Vec<(usize, FavoriteOp)>,
    unlikes: Vec<(usize, FavoriteOp)>,
}

impl Op for FavoriteOp {
    const QUEUE: &'static str = "likes";
    type Output = bool;
    type Conflict = (i64, i64);

    fn conflict(&self) -> Option<(i64, i64)> {
        Some(self.pair())
    }

    /// Whether each changed a row. [`lock_rows`] finds a row that was counted for another author than the op names. It also finds what was
    /// deleted; the outcome of such an op is [`DalError::NotFound`].
    async fn commit(
        ops: &[&Self],
        attempt: &mut Attempt<'_>,
    ) -> Result<(Vec<Result<bool, DalError>>, Committed), DalError> {
        let mut begin = attempt.begin().await?;
        let all = Changes::of(ops.iter().map(|op| **op));
        let is_optimistic = attempt.is_optimistic(ops.len());
        if is_optimistic {
            let committed = all.commit(attempt, begin, ops, 0).await?;
            attempt.record_outcome(ops.len(), committed.is_some());
            match committed {
                Some(committed) => return Ok((ops.iter().map(|_| Ok(true)).collect(), committed)),
                None => begin = BEGIN_ANEW,
            }
        }
        for repeat in 0..MAX_ATTEMPTS {
            let (there, gone) = lock_rows(ops, attempt, begin).await?;
            let is_gone = |op: &FavoriteOp| op.refers_to().iter().any(|to| gone.contains(to));
            let is_change =
                |op: &&FavoriteOp| !is_gone(op) && there.contains_key(&op.pair()) != op.liked;
            let changing = ops.iter().copied().filter(is_change);
            let changes = Changes::of(changing.map(|op| op.counted_for(there.get(&op.pair()))));
            let committed = match changes.is_empty() {
                true => Some(attempt.nothing_to_commit(marked(ops)).await?),
                // Later each time: also where the clock stands still.
                false => {
                    changes
                        .commit(attempt, &[], ops, repeat * ops.len())
                        .await?
                }
            };
            if let Some(committed) = committed {
                if !is_optimistic {
                    attempt.record_outcome(ops.len(), ops.iter().all(&is_change));
                }
                let output = |op: &&FavoriteOp| match is_gone(op) {
                    true => Err(DalError::NotFound),
                    false => Ok(is_change(op)),
                };
                return Ok((ops.iter().map(output).collect(), committed));
            }
            begin = BEGIN_ANEW;
        }
        // IGNORE passes over a row for other reasons, too: such a one never comes.
        let refused = DbErr::Custom("rows of likes are refused".to_owned());
        Err(DalError::Other(refused))
    }
}

/// Also who changed nothing: what they find done may not have been marked.
fn marked(ops: &[&FavoriteOp]) -> Vec<Subject> {
    let mut marked: Vec<Subject> = ops.iter().map(|op| Subject::User(op.user_id)).collect();
    marked.sort_unstable();
    marked.dedup();
    marked
}

/// What the ops refer to.
fn referred_to<'a>(ops: impl Iterator<Item = &'a FavoriteOp>) -> BTreeSet<Deleted> {
    ops.flat_map(|op| op.refers_to()).collect()
}

/// Which rows are there, locked, and the author that each was counted for; and what is deleted of that to which the ops refer.
async fn lock_rows(
    ops: &[&FavoriteOp],
    attempt: &mut Attempt<'_>,
    begin: Begin,
) -> Result<(HashMap<(i64, i64), i64>, BTreeSet<Deleted>), DbErr> {
    let select = format!(
        "SELECT user_id, video_id, author_id FROM favorites FORCE INDEX (PRIMARY) WHERE {} FOR UPDATE",
        pairs(ops.iter().copied())
    );
    let deleted = Tombstones::Favorites.select_sql(&referred_to(ops.iter().copied()));
    let [rows, deleted] = attempt.query_all(begin, [&select, &deleted]).await?;
    let there = rows.iter().map(|row| {
        let pair = (row.try_get("", "user_id")?, row.try_get("", "video_id")?);
        Ok((pair, row.try_get("", "author_id")?))
    });
    let there: Result<_, DbErr> = there.collect();
    Ok((there?, tombstones::found(&deleted)?))
}

impl Changes {
    fn of(ops: impl Iterator<Item = FavoriteOp>) -> Self {
        let mut ops: Vec<(usize, FavoriteOp)> = ops.enumerate().collect();
        ops.sort_unstable_by_key(|(_, op)| op.pair());
        let (likes, unlikes) = ops.into_iter().partition(|(_, op)| op.liked);
        Self { likes, unlikes }
    }

    fn is_empty(&self) -> bool {
        self.likes.is_empty() && self.unlikes.is_empty()
    }

    /// Commits if each of them changes a row; else nothing, and the transaction is left open. `ops`: the whole batch.
    async fn commit(
        &self,
        attempt: &mut Attempt<'_>,
        begin: Begin,
        ops: &[&FavoriteOp],
        later: usize,
    ) -> Result<Option<Committed>, DalError> {
        let Self { likes, unlikes } = self;
        let mut statements: Vec<String> = begin.iter().map(|word| (*word).to_owned()).collect();
        let mut condition = String::from("TRUE");
        if !unlikes.is_empty() {
            let rows: Vec<String> = unlikes
                .iter()
                .map(|(_, op)| format!("({} AND author_id = {})", pair(op), op.author_id))
                .collect();
            statements.push(format!(
                "DELETE favorites FROM favorites FORCE INDEX (PRIMARY) WHERE {}",
                rows.join(" OR ")
            ));
            statements.push("SET @unliked = ROW_COUNT()".to_owned());
            let _ = write!(condition, " AND @unliked = {}", unlikes.len());
        }
        if !likes.is_empty() {
            statements.push(insert(likes, later));
            let _ = write!(condition, " AND ROW_COUNT() = {}", likes.len());
        }
        // Behind the rows: of two at once, either this finds the tombstone, or the sweep finds the rows.
        let changing = likes.iter().chain(unlikes).map(|(_, op)| op);
        let none_is_gone = Tombstones::Favorites.none_of(&referred_to(changing));
        let _ = write!(condition, " AND {none_is_gone}");
        let outcome = attempt
            .commit(statements, Some(&condition), &self.deltas(), marked(ops))
            .await?;
        match outcome {
            Outcome::Committed(committed) => Ok(Some(committed)),
            Outcome::Refused(answers) if !self.is_all(&answers) => Ok(None),
            Outcome::Refused(_) if attempt.is_too_late() => Err(DalError::TimedOut),
            // The known clock was wrong, or something is deleted. The next attempt reads both.
            Outcome::Refused(_) => Ok(None),
        }
    }

    /// Whether each changed a row.
    fn is_all(&self, answers: &[Answer]) -> bool {
        let changed = answers.iter().map(|answer| answer.changed).sum::<u64>();
        usize::try_from(changed) == Ok(self.likes.len() + self.unlikes.len())
    }

    fn deltas(&self) -> Deltas {
        let mut deltas = Deltas::default();
        let signed = [(&self.likes, 1), (&self.unlikes, -1)];
        for (ops, delta) in signed {
            for (_, op) in ops {
                deltas.add(Counter::VideoFavorites(op.video_id), delta);
                deltas.add(Counter::UserFavorites(op.user_id), delta);
                deltas.add(Counter::UserFavorited(op.author_id), delta);
            }
        }
        match self.likes.iter().chain(&self.unlikes).next() {
            // They make up for each other, and must be committed all the same.
            Some((_, op)) if deltas.is_empty() => {
                Deltas::zero(Counter::VideoFavorites(op.video_id))
            }
            _ => deltas,
        }
    }
}

/// No two likes of a user have one moment: the unique key decides, and IGNORE passes over such a row as over one that is there.
fn insert(likes: &[(usize, FavoriteOp)], later: usize) -> String {
    let batch: i64 = rand::random();
    let rows: Vec<String> = likes
        .iter()
        .map(|(index, op)| {
            let FavoriteOp {
                user_id,
                video_id,
                author_id,
                ..
            } = op;
            // Whole numbers: nothing to escape.
            format!("({user_id}, {video_id}, {author_id}, {NOW_US} + {index} + {later}, {batch})")
        })
        .collect();
    format!(
        "INSERT IGNORE INTO favorites (user_id, video_id, author_id, liked_us, batch) VALUES {}",
        rows.join(", ")
    )
}

fn pairs<'a>(ops: impl Iterator<Item = &'a FavoriteOp>) -> String {
    let pairs: Vec<String> = ops.map(pair).collect();
    pairs.join(" OR ")
}

fn pair(op: &FavoriteOp) -> String {
    format!("(user_id = {} AND video_id = {})", op.user_id, op.video_id)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::group_commit::Harness;

    #[tokio::test]
    async fn no_two_likes_of_a_user_have_one_moment_also_where_the_clock_stands_still() {
        let database = testkit::Database::create().await;
        let mysql = crate::plans::mysql(&database);
        crate::migrate(&mysql).await.unwrap();
        let db = crate::Db::connect(&mysql).unwrap();
        let mut harness = Harness::new(&db);
        for (videos, changed) in [
            (1..3, vec![true; 2]),
            (3..4, vec![true]),
            (2..7, vec![false, false, true, true, true]),
        ] {
            let likes: Vec<FavoriteOp> = videos
                .map(|video_id| FavoriteOp {
                    user_id: 1,
                    video_id,
                    author_id: 1,
                    liked: true,
                })
                .collect();
            let deadline = Instant::now() + Duration::from_secs(60);
            let stand_still = "SET SESSION timestamp = 1700000000.5";
            let outcomes = harness.commit_after(stand_still, &likes, deadline).await;
            let outcomes: Vec<bool> = outcomes.unwrap().into_iter().map(Result::unwrap).collect();
            assert_eq!(outcomes, changed);
        }
        let moments = "SELECT COUNT(DISTINCT liked_us) FROM favorites WHERE user_id = 1";
        assert_eq!(database.value::<i64>(moments).await, 6);
    }
}
