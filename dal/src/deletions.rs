//! Deletions of videos. The first step deletes the row of the video, and in the same transaction writes down what is left to do: its likes, its
//! comments, its objects. The row of the deletion goes when nothing of that is left, so a process that is killed loses none.

use marks::Subject;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, QueryResult, Statement};

use crate::{
    DalError, Db,
    counters::Counters,
    counts::Counter,
    db::Transaction,
    ledger::{self, Counted, Deltas},
    pool::execute_text,
    tombstones::{Deleted, Tombstones},
    uploads,
};

/// A deletion that isn't complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// Which video it was.
    pub video_id: i64,
    /// Who had published it.
    pub author_id: i64,
    /// What the object store has of it, but the small forms beside them.
    pub object_keys: Vec<String>,
}

/// What became of a wish to delete a video.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// The video is gone, now or by an earlier call. What it leaves is to be removed.
    Deletion(Deletion),
    /// There is no such video.
    NoSuchVideo,
    /// It is another author's; nothing changed.
    NotYours,
}

/// On whose behalf a video is deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// Its author, or who says to be.
    Author(i64),
    /// An operator, who gives a reason of 1 to 500 characters.
    Operator(String),
}

/// Deletes a video if it is there and may be deleted. When this returns, only another viewer's feed page from a replica that lags may still show
/// it, and the author's works are counted; the rest is still to be done. Repeating it gives the same deletion as long as that isn't complete.
pub async fn begin(db: &Db, counters: &Counters, video_id: i64, by: By) -> Result<Begun, DalError> {
    ledger::commit(db, counters, Begin { video_id, by }).await
}

struct Begin {
    video_id: i64,
    by: By,
}

impl Transaction for Begin {
    type Output = Counted<Begun>;

    async fn run(&self, transaction: &DatabaseTransaction) -> Result<Self::Output, DalError> {
        let unchanged = |output| Counted {
            output,
            deltas: Deltas::default(),
            marked: Vec::new(),
        };
        let of_id = |sql: &str| {
            Statement::from_sql_and_values(DbBackend::MySql, sql, [self.video_id.into()])
        };
        let video = of_id(
            "SELECT author_id, object_key, cover_key, original_key, published_ms FROM videos WHERE id = ? FOR UPDATE",
        );
        let Some(video) = transaction.query_one_raw(video).await? else {
            let begun = of_id(
                "SELECT video_id, author_id, object_keys FROM video_deletions WHERE video_id = ?",
            );
            let begun = transaction.query_one_raw(begun).await?;
            let begun = begun.as_ref().map(deletion).transpose()?;
            return Ok(unchanged(match begun {
                Some(deletion) if self.may(deletion.author_id) => Begun::Deletion(deletion),
                _ => Begun::NoSuchVideo,
            }));
        };
        let author_id: i64 = video.try_get("", "author_id")?;
        let published_ms: Option<i64> = video.try_get("", "published_ms")?;
        if !self.may(author_id) {
            // One that isn't ready is only there for its author.
            return Ok(unchanged(match published_ms {
                Some(_) => Begun::NotYours,
                None => Begun::NoSuchVideo,
            }));
        }
        let original: Option<String> = video.try_get("", "original_key")?;
        let mut object_keys = vec![
            video.try_get("", "object_key")?,
            video.try_get("", "cover_key")?,
        ];
        object_keys.extend(original);
        // After the lock of the video, so that one that a job has just replaced is among them.
        let replaced = transaction
            .query_all_raw(uploads::replaced_in(self.video_id))
            .await?;
        for upload in &replaced {
            object_keys.push(upload.try_get("", "object_key")?);
        }
        let deletion = Deletion {
            video_id: self.video_id,
            author_id,
            object_keys,
        };
        transaction.execute_raw(record(&deletion)).await?;
        if let By::Operator(reason) = &self.by {
            let log = crate::moderations::record("take down video", self.video_id, reason);
            transaction.execute_raw(log).await?;
        }
        let delete = format!("DELETE FROM videos WHERE id = {}", self.video_id);
        execute_text(transaction, &delete).await?;
        // An attempt that is under way finds no job any more, and removes what it has made.
        let job = format!("DELETE FROM jobs WHERE video_id = {}", self.video_id);
        execute_text(transaction, &job).await?;
        if !replaced.is_empty() {
            let uploads = format!("DELETE FROM uploads WHERE video_id = {}", self.video_id);
            execute_text(transaction, &uploads).await?;
        }
        Ok(Counted {
            output: Begun::Deletion(deletion),
            // Only what was ready was counted.
            deltas: match published_ms {
                Some(_) => Deltas::of(Counter::UserWorks(author_id), -1),
                None => Deltas::default(),
            },
            marked: vec![Subject::User(author_id), Subject::Video(self.video_id)],
        })
    }
}

impl Begin {
    fn may(&self, author_id: i64) -> bool {
        match &self.by {
            By::Author(user_id) => *user_id == author_id,
            By::Operator(_) => true,
        }
    }
}

fn record(deletion: &Deletion) -> Statement {
    Statement::from_sql_and_values(
        DbBackend::MySql,
        "INSERT INTO video_deletions (video_id, author_id, object_keys, begun_ms) \
         VALUES (?, ?, ?, CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED))",
        [
            deletion.video_id.into(),
            deletion.author_id.into(),
            deletion.object_keys.join("\n").into(),
        ],
    )
}

fn deletion(row: &QueryResult) -> Result<Deletion, sea_orm::DbErr> {
    let keys: String = row.try_get("", "object_keys")?;
    Ok(Deletion {
        video_id: row.try_get("", "video_id")?,
        author_id: row.try_get("", "author_id")?,
        object_keys: keys.lines().map(str::to_owned).collect(),
    })
}

/// At most `limit` deletions that aren't complete, from the video `after` on.
pub async fn pending(db: &Db, after: i64, limit: u64) -> Result<Vec<Deletion>, DalError> {
    let statement = Statement::from_sql_and_values(
        DbBackend::MySql,
        "SELECT video_id, author_id, object_keys FROM video_deletions WHERE video_id > ? ORDER BY video_id LIMIT ?",
        [after.into(), limit.into()],
    );
    let rows = db.read_own_writes().query_all_raw(statement).await?;
    let deletions = rows.iter().map(deletion).collect::<Result<_, _>>();
    Ok(deletions?)
}

/// Forgets a deletion of which nothing is left to do. Idempotent.
pub async fn finish(db: &Db, video_id: i64) -> Result<(), DalError> {
    let statement = Statement::from_sql_and_values(
        DbBackend::MySql,
        "DELETE FROM video_deletions WHERE video_id = ?",
        [video_id.into()],
    );
    db.write().execute_raw(statement).await?;
    Ok(())
}

/// Sets the tombstone of a deleted author, who can't publish from now on. Their videos are deleted afterwards, one by one. Idempotent.
pub async fn set_author_tombstone(db: &Db, user_id: i64) -> Result<(), DalError> {
    Tombstones::Videos.set(db, Deleted::User(user_id)).await
}

/// At most `limit` videos of an author, also those that aren't ready; read with a lock on the primary, so that a publish that is under way is waited
/// for.
pub async fn works(db: &Db, author_id: i64, limit: u64) -> Result<Vec<i64>, DalError> {
    let statement = Statement::from_sql_and_values(
        DbBackend::MySql,
        "SELECT id FROM videos FORCE INDEX (videos_works) WHERE author_id = ? ORDER BY id LIMIT ? FOR UPDATE",
        [author_id.into(), limit.into()],
    );
    let rows = db.read_own_writes().query_all_raw(statement).await?;
    let ids = rows.iter().map(|row| row.try_get("", "id"));
    Ok(ids.collect::<Result<_, _>>()?)
}
