//! New and deleted comments, as one transaction in one trip; in two, where something is deleted.

use std::collections::{BTreeSet, HashMap, HashSet};

use marks::Subject;
use sea_orm::{DbErr, QueryResult};

use super::comment::{Comment, DeleteComment, Deletion, NewComment};
use crate::{
    DalError,
    counts::Counter,
    group_commit::{Answer, Attempt, BEGIN_ANEW, Begin, Committed, Op, Outcome, Outcomes},
    idempotency::{self, First, Key},
    ledger::Deltas,
    tombstones::{self, Deleted, Tombstones},
};

/// How often a batch is tried before it fails. It is tried again if a key in it was used before, a video in it is deleted, or the known
/// clock was wrong.
const MAX_ATTEMPTS: usize = 4;
/// The primary's clock, once a batch; and what is between two ids of an insert. (An insert of a known number of rows gives them one after
/// the other in every lock mode of InnoDB.)
const STAMP: &str = "SET @written_ms = CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)";
const STAMPED: &str =
    "SELECT @written_ms AS written_ms, CAST(@@auto_increment_increment AS SIGNED) AS id_step";

/// What is written together.
pub(super) enum CommentOp {
    Add(NewComment),
    Delete(DeleteComment),
}

/// What became of a [`CommentOp`].
pub(super) enum Written {
    Added(Comment),
    Deleted(Deletion),
}

impl Op for CommentOp {
    const QUEUE: &'static str = "comments";
    type Output = Written;
    type Conflict = Key;

    /// Of requests with one key the second must find what the first has made.
    fn conflict(&self) -> Option<Key> {
        match self {
            Self::Add(comment) => comment.key.clone(),
            Self::Delete(_) => None,
        }
    }

    async fn commit(
        ops: &[&Self],
        attempt: &mut Attempt<'_>,
    ) -> Result<(Vec<Result<Written, DalError>>, Committed), DalError> {
        let mut batch = Batch {
            ops,
            outcomes: Outcomes::new(ops),
            may_be_gone: false,
        };
        let mut begin = attempt.begin().await?;
        for _ in 0..MAX_ATTEMPTS {
            match batch.commit(attempt, begin).await {
                Ok(Some(committed)) => return Ok((batch.outcomes.all()?, committed)),
                Ok(None) => {}
                // The transaction is open.
                Err(DalError::Duplicate) => {
                    batch
                        .outcomes
                        .resolve_duplicates(attempt, CommentOp::made)
                        .await?;
                }
                Err(error) => return Err(error),
            }
            begin = BEGIN_ANEW;
        }
        Err(DalError::Duplicate)
    }
}

struct Batch<'a> {
    ops: &'a [&'a CommentOp],
    /// Those that are known before the commit: of repeats, and of what refers to something deleted, which is [`DalError::NotFound`].
    outcomes: Outcomes<'a, CommentOp>,
    /// Whether a commit was refused, as it is where a video is deleted.
    may_be_gone: bool,
}

impl Batch<'_> {
    /// None: nothing is committed, and the transaction is left open.
    async fn commit(
        &mut self,
        attempt: &mut Attempt<'_>,
        begin: Begin,
    ) -> Result<Option<Committed>, DalError> {
        let mut statements: Vec<String> = begin.iter().map(|word| (*word).to_owned()).collect();
        let mut deltas = Deltas::default();
        let mut decided: Vec<(usize, Deletion)> = Vec::new();
        let deletes = self.deletes().next().is_some();
        if deletes || self.may_be_gone {
            let there = self.lock_rows(attempt, begin).await?;
            statements.clear();
            let mut gone = HashSet::new();
            for (at, delete) in self.deletes() {
                let deletion = decide(delete, &there, &mut gone);
                if deletion == Deletion::Deleted {
                    deltas.add(Counter::VideoComments(delete.video_id), -1);
                }
                decided.push((at, deletion));
            }
            if !gone.is_empty() {
                let ids: Vec<String> = gone.iter().map(i64::to_string).collect();
                let ids = ids.join(", ");
                statements.push(format!("DELETE FROM comments WHERE id IN ({ids})"));
            }
        }
        let adds: Vec<(usize, &NewComment)> = self.adds().collect();
        for (_, comment) in &adds {
            deltas.add(Counter::VideoComments(comment.video_id), 1);
        }
        let changes = !adds.is_empty() || decided.iter().any(|(_, d)| *d == Deletion::Deleted);
        let committed = if changes {
            if !adds.is_empty() {
                statements.extend(insert(&adds));
            }
            if deltas.is_empty()
                && let Some(video_id) = self.ops.first().map(|op| op.video_id())
            {
                // They make up for each other, and must be committed all the same.
                deltas = Deltas::zero(Counter::VideoComments(video_id));
            }
            // Behind the rows: of two at once, either this finds the tombstone, or the sweep finds the rows.
            let refers_to = adds.iter().flat_map(|(_, comment)| comment.refers_to());
            let none_is_gone = match adds.is_empty() {
                true => None,
                false => Some(Tombstones::Comments.none_of(&refers_to.collect())),
            };
            let outcome = attempt
                .commit(statements, none_is_gone.as_deref(), &deltas, self.marked())
                .await?;
            match outcome {
                Outcome::Committed(committed) => committed,
                Outcome::Refused(_) if attempt.is_too_late() => return Err(DalError::TimedOut),
                Outcome::Refused(_) => {
                    self.may_be_gone = true;
                    return Ok(None);
                }
            }
        } else {
            attempt.nothing_to_commit(self.marked()).await?
        };
        let added: Vec<(usize, Comment)> = match adds.is_empty() {
            true => Vec::new(),
            false => made(&adds, &committed.answers)?,
        };
        for (at, deletion) in decided {
            self.outcomes.set(at, Ok(Written::Deleted(deletion)));
        }
        for (at, comment) in added {
            self.outcomes.set(at, Ok(Written::Added(comment)));
        }
        Ok(Some(committed))
    }

    /// Which of the rows to delete are there, locked: video and writer by id. Takes out what refers to something deleted. One trip.
    async fn lock_rows(
        &mut self,
        attempt: &mut Attempt<'_>,
        begin: Begin,
    ) -> Result<HashMap<i64, (i64, i64)>, DbErr> {
        let ids: BTreeSet<i64> = self
            .deletes()
            .map(|(_, delete)| delete.comment_id)
            .collect();
        let refers_to: BTreeSet<Deleted> = self
            .outcomes
            .undecided()
            .flat_map(|(_, op)| op.refers_to())
            .collect();
        let deleted = Tombstones::Comments.select_sql(&refers_to);
        let (rows, deleted) = match ids.is_empty() {
            true => (Vec::new(), attempt.query(begin, &deleted).await?),
            false => {
                let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
                let select = format!(
                    "SELECT id, video_id, user_id FROM comments WHERE id IN ({}) FOR UPDATE",
                    ids.join(", ")
                );
                let [rows, deleted] = attempt.query_all(begin, [&select, &deleted]).await?;
                (rows, deleted)
            }
        };
        let deleted = tombstones::found(&deleted)?;
        let is_gone = |op: &CommentOp| op.refers_to().iter().any(|to| deleted.contains(to));
        self.outcomes.refuse(is_gone, || DalError::NotFound);
        rows.iter()
            .map(|row| {
                let of = (row.try_get("", "video_id")?, row.try_get("", "user_id")?);
                Ok((row.try_get("", "id")?, of))
            })
            .collect()
    }

    /// New comments that are no repeats.
    fn adds(&self) -> impl Iterator<Item = (usize, &NewComment)> {
        self.outcomes.undecided().filter_map(|(at, op)| match op {
            CommentOp::Add(comment) => Some((at, comment)),
            CommentOp::Delete(_) => None,
        })
    }

    fn deletes(&self) -> impl Iterator<Item = (usize, &DeleteComment)> {
        self.outcomes.undecided().filter_map(|(at, op)| match op {
            CommentOp::Delete(comment) => Some((at, comment)),
            CommentOp::Add(_) => None,
        })
    }

    /// Also of those that changed nothing: what they found may not have been marked.
    fn marked(&self) -> Vec<Subject> {
        let subjects = self.ops.iter().flat_map(|op| {
            let user = match op {
                CommentOp::Add(comment) => comment.user_id,
                CommentOp::Delete(comment) => comment.user_id,
            };
            [Subject::Video(op.video_id()), Subject::User(user)]
        });
        let mut marked: Vec<Subject> = subjects.collect();
        marked.sort_unstable();
        marked.dedup();
        marked
    }
}

impl CommentOp {
    /// What its row refers to, or would.
    fn refers_to(&self) -> [Deleted; 2] {
        match self {
            Self::Add(comment) => comment.refers_to(),
            Self::Delete(comment) => [
                Deleted::Video(comment.video_id),
                Deleted::User(comment.user_id),
            ],
        }
    }

    /// What a request with the same key has made; only new comments have a key.
    fn made(&self, first: First) -> Option<Written> {
        match self {
            Self::Add(comment) => Some(Written::Added(comment.made(first))),
            Self::Delete(_) => None,
        }
    }

    fn video_id(&self) -> i64 {
        match self {
            Self::Add(comment) => comment.video_id,
            Self::Delete(comment) => comment.video_id,
        }
    }
}

impl NewComment {
    fn refers_to(&self) -> [Deleted; 2] {
        [Deleted::Video(self.video_id), Deleted::User(self.user_id)]
    }

    fn made(&self, made: First) -> Comment {
        Comment {
            id: made.id,
            video_id: self.video_id,
            user_id: self.user_id,
            content: self.content.clone(),
            created_ms: made.created_ms,
        }
    }
}

fn decide(
    delete: &DeleteComment,
    there: &HashMap<i64, (i64, i64)>,
    gone: &mut HashSet<i64>,
) -> Deletion {
    match there.get(&delete.comment_id) {
        Some((video_id, writer))
            if *video_id == delete.video_id && !gone.contains(&delete.comment_id) =>
        {
            if ![*writer, delete.video_author_id].contains(&delete.user_id) {
                return Deletion::NotYours;
            }
            gone.insert(delete.comment_id);
            Deletion::Deleted
        }
        _ => Deletion::NoSuchComment,
    }
}

/// The statements that insert these comments, and their keys.
fn insert(adds: &[(usize, &NewComment)]) -> Vec<String> {
    let rows: Vec<String> = adds
        .iter()
        .map(|(_, comment)| {
            let NewComment {
                video_id, user_id, ..
            } = comment;
            // What the user wrote is digits here, whatever it was.
            let content = idempotency::hex(comment.content.as_bytes());
            format!("({video_id}, {user_id}, _utf8mb4 X'{content}', @written_ms)")
        })
        .collect();
    let comments = format!(
        "INSERT INTO comments (video_id, user_id, content, created_ms) VALUES {}",
        rows.join(", ")
    );
    let keys = (0..).zip(adds).filter_map(|(row, (_, comment))| {
        let id = format!("LAST_INSERT_ID() + {row} * @@auto_increment_increment");
        Some(comment.key.as_ref()?.row(&id, "@written_ms"))
    });
    let mut statements = vec![STAMP.to_owned(), comments];
    statements.extend(idempotency::insert(keys));
    statements.push(STAMPED.to_owned());
    statements
}

/// The comments that an [`insert`] has made.
fn made(adds: &[(usize, &NewComment)], answers: &[Answer]) -> Result<Vec<(usize, Comment)>, DbErr> {
    let missing = || DbErr::Custom("the ids of new comments are missing".to_owned());
    let inserted = |answer: &&Answer| answer.first_id > 0;
    let first_id = answers.iter().find(inserted).ok_or_else(missing)?.first_id;
    let first_id = i64::try_from(first_id).map_err(|_| missing())?;
    let stamped: &QueryResult = (answers.last())
        .and_then(|answer| answer.rows.first())
        .ok_or_else(missing)?;
    let created_ms: i64 = stamped.try_get("", "written_ms")?;
    let id_step: i64 = stamped.try_get("", "id_step")?;
    let comments = (0..).zip(adds).map(|(row, (at, comment))| {
        let id = first_id + row * id_step;
        (*at, comment.made(First { id, created_ms }))
    });
    Ok(comments.collect())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::group_commit::Harness;

    #[tokio::test]
    async fn each_is_told_its_own_id_also_where_ids_are_further_apart() {
        let database = testkit::Database::create().await;
        let mysql = crate::plans::mysql(&database);
        crate::migrate(&mysql).await.unwrap();
        let db = crate::Db::connect(&mysql).unwrap();
        let adds: Vec<CommentOp> = (0..20)
            .map(|n| {
                let content = format!("of {n}");
                let key = Key::new(n, idempotency::Kind::Comment, "key", &[&content]);
                CommentOp::Add(NewComment {
                    video_id: 1,
                    user_id: n,
                    content,
                    key: Some(key),
                })
            })
            .collect();
        let far = "SET SESSION auto_increment_increment = 7, auto_increment_offset = 3";
        let deadline = Instant::now() + Duration::from_secs(60);
        let added = Harness::new(&db).commit_after(far, &adds, deadline).await;
        for (n, added) in (0..).zip(added.unwrap()) {
            let Ok(Written::Added(comment)) = added else {
                panic!("comment {n} isn't added");
            };
            let of_id = |columns: &str, rest: &str| {
                format!("SELECT {columns} = '{n}' FROM {rest} = {}", comment.id)
            };
            let row = of_id("SUBSTR(content, 4)", "comments WHERE id");
            assert_eq!(database.value::<i64>(&row).await, 1, "{comment:?}");
            let key = of_id("user_id", "idempotency_keys WHERE result_id");
            assert_eq!(database.value::<i64>(&key).await, 1, "{comment:?}");
        }
    }
}
