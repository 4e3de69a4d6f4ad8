//! An operator takes a comment away.

use marks::Subject;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, Statement};

use crate::{
    DalError, Db,
    counters::Counters,
    counts::Counter,
    db::Transaction,
    ledger::{self, Counted, Deltas},
    moderations,
    pool::execute_text,
};

/// Deletes a comment, whoever's it is, and logs why; whether there was one. `reason`: 1 to 500 characters.
pub async fn take_down(
    db: &Db,
    counters: &Counters,
    comment_id: i64,
    reason: &str,
) -> Result<bool, DalError> {
    let work = TakeDown {
        comment_id,
        reason: reason.to_owned(),
    };
    ledger::commit(db, counters, work).await
}

struct TakeDown {
    comment_id: i64,
    reason: String,
}

impl Transaction for TakeDown {
    type Output = Counted<bool>;

    async fn run(&self, transaction: &DatabaseTransaction) -> Result<Self::Output, DalError> {
        let select = Statement::from_sql_and_values(
            DbBackend::MySql,
            "SELECT video_id, user_id FROM comments WHERE id = ? FOR UPDATE",
            [self.comment_id.into()],
        );
        let Some(row) = transaction.query_one_raw(select).await? else {
            return Ok(Counted {
                output: false,
                deltas: Deltas::default(),
                marked: Vec::new(),
            });
        };
        let video_id = row.try_get("", "video_id")?;
        let user_id = row.try_get("", "user_id")?;
        let log = moderations::record("take down comment", self.comment_id, &self.reason);
        transaction.execute_raw(log).await?;
        let delete = format!("DELETE FROM comments WHERE id = {}", self.comment_id);
        execute_text(transaction, &delete).await?;
        Ok(Counted {
            output: true,
            deltas: Deltas::of(Counter::VideoComments(video_id), -1),
            marked: vec![Subject::Video(video_id), Subject::User(user_id)],
        })
    }
}
