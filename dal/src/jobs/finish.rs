//! How an attempt ends: its result is published, or the job waits again, or the video has failed. Each is one transaction that requires
//! the attempt's token.

use std::time::Duration;

use marks::Subject;
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend, DbErr, Statement};

use super::{Job, NOW_MS, claim::millis, write};
use crate::{
    DalError, Db,
    counters::Counters,
    counts::Counter,
    db::Transaction,
    ledger::{self, Counted, Deltas},
    videos::{Media, State, forget_uploads, lock_uploads, stamp},
};

/// What becomes of the object that played so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replaced {
    /// Whether the upload is kept.
    pub keep_original: bool,
    /// How long an object that isn't kept stays there at least: somebody may have its URL.
    pub ttl: Duration,
}

/// Publishes what an attempt has made: viewers get it from now on. The objects of the attempt, recorded as uploads, belong to the video; what
/// played so far is recorded as an upload to be removed, or kept. [`DalError::NotFound`] when the job isn't this attempt's any more, or its
/// objects are being removed: then nothing was changed.
pub async fn finish(
    db: &Db,
    counters: &Counters,
    job: &Job,
    media: &Media,
    replaced: Replaced,
) -> Result<(), DalError> {
    let finish = Finish {
        job: job.clone(),
        media: media.clone(),
        replaced,
    };
    ledger::commit(db, counters, finish).await
}

/// Why an attempt ended without a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// For the last time: the video has failed, and its author is told why. One that viewers have already stays as it is.
    Final(String),
    /// Another attempt may succeed, after a pause.
    Again(Duration),
    /// As before, and the attempt doesn't count: it isn't the video's fault.
    Uncounted(Duration),
}

/// Ends an attempt without a result. [`DalError::NotFound`] when the job isn't this attempt's any more.
pub async fn fail(
    db: &Db,
    counters: &Counters,
    job: &Job,
    failure: Failure,
) -> Result<(), DalError> {
    let fail = Fail {
        job: job.clone(),
        failure,
    };
    ledger::commit(db, counters, fail).await
}

struct Finish {
    job: Job,
    media: Media,
    replaced: Replaced,
}

/// Locks the job of the attempt.
async fn lock(transaction: &DatabaseTransaction, job: &Job) -> Result<(), DalError> {
    let statement = Statement::from_sql_and_values(
        DbBackend::MySql,
        "SELECT id FROM jobs WHERE id = ? AND token = ? AND state = 1 FOR UPDATE",
        [job.id.into(), job.token.as_str().into()],
    );
    let found = transaction.query_one_raw(statement).await?;
    found.map(drop).ok_or(DalError::NotFound)
}

async fn delete(transaction: &DatabaseTransaction, job: &Job) -> Result<(), DbErr> {
    write(
        transaction,
        "DELETE FROM jobs WHERE id = ?",
        [job.id.into()],
    )
    .await?;
    Ok(())
}

impl Transaction for Finish {
    type Output = Counted<()>;

    async fn run(&self, transaction: &DatabaseTransaction) -> Result<Self::Output, DalError> {
        let Self { job, media, .. } = self;
        lock(transaction, job).await?;
        let small = media.small.iter().map(|small| &*small.object_key);
        let own: Vec<&str> = std::iter::once(&*media.object_key).chain(small).collect();
        let now_ms = lock_uploads(transaction, &own, job.author_id).await?;
        forget_uploads(transaction, &own).await?;
        let is_published = self.replace(transaction).await?;
        delete(transaction, job).await?;
        let deltas = match is_published {
            true => Deltas::default(),
            false => {
                stamp(transaction, job.video_id, now_ms).await?;
                Deltas::of(Counter::UserWorks(job.author_id), 1)
            }
        };
        Ok(Counted {
            output: (),
            deltas,
            marked: vec![Subject::User(job.author_id)],
        })
    }
}

impl Finish {
    /// Puts the new media in the place of the old ones; whether viewers had those.
    async fn replace(&self, transaction: &DatabaseTransaction) -> Result<bool, DalError> {
        let Self {
            job,
            media,
            replaced,
        } = self;
        let statement = Statement::from_sql_and_values(
            DbBackend::MySql,
            "SELECT object_key, original_key, published_ms FROM videos WHERE id = ? FOR UPDATE",
            [job.video_id.into()],
        );
        let video = transaction.query_one_raw(statement).await?;
        let video = video.ok_or(DalError::NotFound)?;
        let old_key: String = video.try_get("", "object_key")?;
        let original: Option<String> = video.try_get("", "original_key")?;
        let published_ms: Option<i64> = video.try_get("", "published_ms")?;
        let is_original_kept = original.is_none() && replaced.keep_original;
        let kept = match is_original_kept {
            true => Some(old_key.clone()),
            false => original,
        };
        if !is_original_kept {
            // By the id of the video a deletion finds it that doesn't wait for the end of its URLs.
            let sql = "INSERT INTO uploads (object_key, author_id, aborting, created_at, video_id) \
                       VALUES (?, ?, 1, NOW(3) + INTERVAL ? SECOND, ?)";
            let ttl_s = i64::try_from(replaced.ttl.as_secs()).unwrap_or(i64::MAX);
            let values = [
                old_key.into(),
                job.author_id.into(),
                ttl_s.into(),
                job.video_id.into(),
            ];
            write(transaction, sql, values).await?;
        }
        let (small_height, small_bit_rate) = media.small_numbers();
        let sql = "UPDATE videos SET object_key = ?, original_key = ?, cover_key = ?, has_small_cover = ?, duration_ms = ?, \
                   width = ?, height = ?, bit_rate = ?, small_height = ?, small_bit_rate = ?, state = ?, progress = 100, reason = '' \
                   WHERE id = ?";
        let values = [
            media.object_key.as_str().into(),
            kept.into(),
            media.cover_key.as_str().into(),
            media.has_small_cover.into(),
            media.duration_ms.into(),
            media.width.into(),
            media.height.into(),
            media.bit_rate.into(),
            small_height.into(),
            small_bit_rate.into(),
            State::Ready.number().into(),
            job.video_id.into(),
        ];
        write(transaction, sql, values).await?;
        Ok(published_ms.is_some())
    }
}

struct Fail {
    job: Job,
    failure: Failure,
}

impl Transaction for Fail {
    type Output = Counted<()>;

    async fn run(&self, transaction: &DatabaseTransaction) -> Result<Self::Output, DalError> {
        let Self { job, failure } = self;
        lock(transaction, job).await?;
        let (pause, counted) = match failure {
            Failure::Final(reason) => {
                delete(transaction, job).await?;
                let sql =
                    "UPDATE videos SET state = ?, reason = ? WHERE id = ? AND published_ms IS NULL";
                let reason: String = reason.chars().take(200).collect();
                let failed = State::Failed.number();
                write(
                    transaction,
                    sql,
                    [failed.into(), reason.into(), job.video_id.into()],
                )
                .await?;
                return Ok(Counted {
                    output: (),
                    deltas: Deltas::default(),
                    marked: vec![Subject::User(job.author_id)],
                });
            }
            Failure::Again(pause) => (pause, 0),
            Failure::Uncounted(pause) => (pause, 1),
        };
        let sql = format!(
            "UPDATE jobs SET state = 0, token = '', lease_until_ms = 0, not_before_ms = {NOW_MS} + ?, \
             attempts = attempts - ? WHERE id = ?"
        );
        let values = [millis(*pause).into(), counted.into(), job.id.into()];
        write(transaction, &sql, values).await?;
        Ok(Counted {
            output: (),
            deltas: Deltas::default(),
            marked: Vec::new(),
        })
    }
}
