//! The primary's newest commit, queried once for all who ask at the same time.
//!
//! Callers that arrive during a query share the next one. So every query starts after its callers have asked, and its answer covers
//! every commit that was acknowledged before.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use marks::Commit;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement};
use tokio::sync::{Mutex, OnceCell};

use crate::{
    gtid::{Dialect, known_dialect},
    pool::within,
};

/// If the primary takes longer, the read goes to the primary itself.
const DEADLINE: Duration = Duration::from_millis(300);

pub(super) struct NewestCommit {
    /// A dedicated connection to the primary, so that no other statement delays this one.
    primary: DatabaseConnection,
    dialect: Arc<OnceCell<Dialect>>,
    asked: AtomicU64,
    last: Mutex<Answer>,
}

#[derive(Default)]
struct Answer {
    /// How many callers had asked when the query began: the answer is for them.
    good_for: u64,
    commit: Option<Commit>,
}

impl NewestCommit {
    pub(super) fn new(primary: DatabaseConnection, dialect: Arc<OnceCell<Dialect>>) -> Self {
        Self {
            primary,
            dialect,
            asked: AtomicU64::new(0),
            last: Mutex::default(),
        }
    }

    /// A commit that covers every commit acknowledged before this call. None if the primary doesn't answer, has no GTIDs or has become
    /// read-only.
    pub(super) async fn newest(&self) -> Option<Commit> {
        shared(&self.asked, &self.last, || async {
            within(DEADLINE, self.query()).await.ok().flatten()
        })
        .await
    }

    async fn query(&self) -> Result<Option<Commit>, DbErr> {
        let dialect = known_dialect(&self.dialect, &self.primary).await?;
        let newest = dialect.newest();
        let sql = format!("SELECT {newest} AS position, @@global.read_only AS read_only");
        let statement = Statement::from_string(DbBackend::MySql, sql);
        let row = self.primary.query_one_raw(statement).await?;
        let read_only: i64 = row
            .as_ref()
            .map_or(Ok(0), |row| row.try_get("", "read_only"))?;
        if read_only != 0 {
            return Ok(None);
        }
        dialect.commit(row.as_ref())
    }
}

/// The answer of one `query` that starts after this call; all callers that came before its start share it.
async fn shared<F>(asked: &AtomicU64, last: &Mutex<Answer>, query: impl Fn() -> F) -> Option<Commit>
where
    F: Future<Output = Option<Commit>>,
{
    let ticket = asked.fetch_add(1, Ordering::SeqCst);
    // If a caller is dropped during its query, the next caller queries.
    let mut last = last.lock().await;
    if last.good_for <= ticket {
        let good_for = asked.load(Ordering::SeqCst);
        let commit = query().await;
        *last = Answer { good_for, commit };
    }
    last.commit.clone()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use super::*;

    #[tokio::test]
    async fn whoever_asks_meanwhile_shares_the_next_answer_and_none_is_older_than_its_question() {
        let state = Arc::new((AtomicU64::new(0), Mutex::<Answer>::default()));
        // What the primary has committed, and how often it was asked.
        let (committed, asks) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicUsize::new(0)));
        let crowd: Vec<_> = (0..200)
            .map(|_| {
                let (state, committed, asks) = (state.clone(), committed.clone(), asks.clone());
                tokio::spawn(async move {
                    let before = committed.fetch_add(1, Ordering::SeqCst) + 1;
                    let answer = shared(&state.0, &state.1, || async {
                        asks.fetch_add(1, Ordering::SeqCst);
                        let seq = committed.load(Ordering::SeqCst);
                        tokio::time::sleep(Duration::from_millis(5)).await;
                        Some(Commit {
                            seq,
                            gtid: seq.to_string(),
                        })
                    });
                    assert!(answer.await.unwrap().seq >= before);
                })
            })
            .collect();
        for one in crowd {
            one.await.unwrap();
        }
        let asks = asks.load(Ordering::SeqCst);
        assert!(asks <= 20, "asked {asks} times for 200");
    }

    #[tokio::test]
    async fn whoever_leaves_while_asking_leaves_the_question_to_the_next() {
        let (asked, last) = (AtomicU64::new(0), Mutex::<Answer>::default());
        let never = shared(&asked, &last, std::future::pending);
        assert!(
            tokio::time::timeout(Duration::from_millis(20), never)
                .await
                .is_err()
        );
        let next = shared(&asked, &last, || async { Some(Commit::default()) });
        assert_eq!(next.await, Some(Commit::default()));
    }
}
