//! Follows and unfollows of different pairs of users, as one transaction in one trip, or two.

use std::{
    collections::{BTreeSet, HashSet},
    fmt::Write as _,
};

use marks::Subject;
use sea_orm::DbErr;

use super::FollowOp;
use crate::{
    DalError, blocks,
    counts::Counter,
    group_commit::{Answer, Attempt, BEGIN_ANEW, Begin, Committed, Op, Outcome},
    ledger::Deltas,
    tombstones::{self, Deleted, Tombstones},
};

/// Up to this size a batch writes without reading first. A larger batch probably contains an op that changes nothing. Such an op would cost
/// the whole batch another round trip, so a larger batch reads first.
const MAX_OPTIMISTIC_BATCH: usize = 16;
/// How often a batch reads and writes before it fails. It repeats when another process was faster.
const MAX_ATTEMPTS: usize = 3;

/// What is to be written of a batch, in the order of the keys, so that batches at once rarely lock crosswise.
struct Changes {
    follows: Vec<FollowOp>,
    unfollows: Vec<FollowOp>,
}

impl Op for FollowOp {
    const QUEUE: &'static str = "follows";
    type Output = bool;
    type Conflict = (i64, i64);

    fn conflict(&self) -> Option<(i64, i64)> {
        Some(self.pair())
    }

    /// Whether each changed a row. What refers to a deleted user is [`DalError::NotFound`], and a follow of who has blocked the follower is
    /// [`DalError::Blocked`].
    async fn commit(
        ops: &[&Self],
        attempt: &mut Attempt<'_>,
    ) -> Result<(Vec<Result<bool, DalError>>, Committed), DalError> {
        let mut begin = attempt.begin().await?;
        let all = Changes::of(ops.iter().map(|op| **op));
        if ops.len() <= MAX_OPTIMISTIC_BATCH {
            match all.commit(attempt, begin, ops).await? {
                Some(committed) => return Ok((ops.iter().map(|_| Ok(true)).collect(), committed)),
                None => begin = BEGIN_ANEW,
            }
        }
        for _ in 0..MAX_ATTEMPTS {
            let found = lock_rows(ops, attempt, begin).await?;
            let is_change = |op: &&FollowOp| {
                found.refusal(op).is_none() && found.there.contains(&op.pair()) != op.followed
            };
            let changes = Changes::of(ops.iter().copied().filter(is_change).copied());
            let committed = match changes.is_empty() {
                true => Some(attempt.nothing_to_commit(marked(ops)).await?),
                false => changes.commit(attempt, &[], ops).await?,
            };
            if let Some(committed) = committed {
                let output = |op: &&FollowOp| match found.refusal(op) {
                    Some(refusal) => Err(refusal),
                    None => Ok(is_change(op)),
                };
                return Ok((ops.iter().map(output).collect(), committed));
            }
            begin = BEGIN_ANEW;
        }
        // IGNORE passes over a row for other reasons, too: such a one never comes.
        let refused = DbErr::Custom("rows of follows are refused".to_owned());
        Err(DalError::Other(refused))
    }
}

/// Also of those that changed nothing: what they find done may not have been marked.
fn marked(ops: &[&FollowOp]) -> Vec<Subject> {
    let subjects = ops.iter().flat_map(|op| {
        [
            Subject::User(op.user_id),
            Subject::Followers(op.followed_id),
        ]
    });
    let mut marked: Vec<Subject> = subjects.collect();
    marked.sort_unstable();
    marked.dedup();
    marked
}

/// What a batch finds before it writes.
struct Found {
    /// Rows, locked.
    there: HashSet<(i64, i64)>,
    gone: BTreeSet<Deleted>,
    blocked: BTreeSet<blocks::Sender>,
}

impl Found {
    fn refusal(&self, op: &FollowOp) -> Option<DalError> {
        if refers_to(op).iter().any(|to| self.gone.contains(to)) {
            return Some(DalError::NotFound);
        }
        let is_blocked = op.followed && self.blocked.contains(&op.pair());
        is_blocked.then_some(DalError::Blocked)
    }
}

fn refers_to(op: &FollowOp) -> [Deleted; 2] {
    [Deleted::User(op.user_id), Deleted::User(op.followed_id)]
}

/// Which rows are there; and what refuses a follow.
async fn lock_rows(
    ops: &[&FollowOp],
    attempt: &mut Attempt<'_>,
    begin: Begin,
) -> Result<Found, DbErr> {
    let select = format!(
        "SELECT user_id, followed_id FROM follows FORCE INDEX (follows_pair) WHERE {} FOR UPDATE",
        pairs(ops.iter().copied())
    );
    let gone = ops.iter().flat_map(|op| refers_to(op)).collect();
    let gone = Tombstones::Follows.select_sql(&gone);
    let blocked = blocks::select_sql(&ops.iter().map(|op| op.pair()).collect());
    let [rows, gone, blocked] = attempt.query_all(begin, [&select, &gone, &blocked]).await?;
    let there = rows
        .iter()
        .map(|row| Ok((row.try_get("", "user_id")?, row.try_get("", "followed_id")?)));
    let there: Result<_, DbErr> = there.collect();
    Ok(Found {
        there: there?,
        gone: tombstones::found(&gone)?,
        blocked: blocks::found(&blocked)?,
    })
}

impl Changes {
    fn of(ops: impl Iterator<Item = FollowOp>) -> Self {
        let mut ops: Vec<FollowOp> = ops.collect();
        ops.sort_unstable_by_key(|op| op.pair());
        let (follows, unfollows) = ops.into_iter().partition(|op| op.followed);
        Self { follows, unfollows }
    }

    fn is_empty(&self) -> bool {
        self.follows.is_empty() && self.unfollows.is_empty()
    }

    /// Commits if each of them changes a row; else nothing, and the transaction is left open. `ops`: the whole batch.
    async fn commit(
        &self,
        attempt: &mut Attempt<'_>,
        begin: Begin,
        ops: &[&FollowOp],
    ) -> Result<Option<Committed>, DalError> {
        let Self { follows, unfollows } = self;
        let mut statements: Vec<String> = begin.iter().map(|word| (*word).to_owned()).collect();
        let mut condition = String::from("TRUE");
        if !unfollows.is_empty() {
            statements.push(format!(
                "DELETE follows FROM follows FORCE INDEX (follows_pair) WHERE {}",
                pairs(unfollows.iter())
            ));
            statements.push("SET @unfollowed = ROW_COUNT()".to_owned());
            let _ = write!(condition, " AND @unfollowed = {}", unfollows.len());
        }
        if !follows.is_empty() {
            statements.push(insert(follows));
            let _ = write!(condition, " AND ROW_COUNT() = {}", follows.len());
        }
        // Behind the rows: of two at once, either this finds the tombstone, or the sweep finds the rows.
        let all = follows.iter().chain(unfollows);
        let none_is_gone = Tombstones::Follows.none_of(&all.flat_map(refers_to).collect());
        let none_is_blocked = blocks::none_of(&follows.iter().map(|op| op.pair()).collect());
        let _ = write!(condition, " AND {none_is_gone} AND {none_is_blocked}");
        let outcome = attempt
            .commit(statements, Some(&condition), &self.deltas(), marked(ops))
            .await?;
        match outcome {
            Outcome::Committed(committed) => Ok(Some(committed)),
            Outcome::Refused(answers) if !self.is_all(&answers) => Ok(None),
            Outcome::Refused(_) if attempt.is_too_late() => Err(DalError::TimedOut),
            // The known clock was wrong, or something refuses a follow. The next attempt reads both.
            Outcome::Refused(_) => Ok(None),
        }
    }

    /// Whether each changed a row.
    fn is_all(&self, answers: &[Answer]) -> bool {
        let changed = answers.iter().map(|answer| answer.changed).sum::<u64>();
        usize::try_from(changed) == Ok(self.follows.len() + self.unfollows.len())
    }

    fn deltas(&self) -> Deltas {
        let mut deltas = Deltas::default();
        let signed = [(&self.follows, 1), (&self.unfollows, -1)];
        for (ops, delta) in signed {
            for op in ops {
                deltas.add(Counter::UserFollows(op.user_id), delta);
                deltas.add(Counter::UserFollowers(op.followed_id), delta);
            }
        }
        match self.follows.iter().chain(&self.unfollows).next() {
            // They make up for each other, and must be committed all the same.
            Some(op) if deltas.is_empty() => Deltas::zero(Counter::UserFollows(op.user_id)),
            _ => deltas,
        }
    }
}

/// The unique key decides: IGNORE passes over a row that is there.
fn insert(follows: &[FollowOp]) -> String {
    let rows: Vec<String> = follows
        .iter()
        // Whole numbers: nothing to escape.
        .map(|op| format!("({}, {})", op.user_id, op.followed_id))
        .collect();
    format!(
        "INSERT IGNORE INTO follows (user_id, followed_id) VALUES {}",
        rows.join(", ")
    )
}

fn pairs<'a>(ops: impl Iterator<Item = &'a FollowOp>) -> String {
    let pairs: Vec<String> = ops
        .map(|op| {
            format!(
                "(user_id = {} AND followed_id = {})",
                op.user_id, op.followed_id
            )
        })
        .collect();
    pairs.join(" OR ")
}
