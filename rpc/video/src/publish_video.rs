//! Publishes an upload as a video, or removes the upload. The steps of the saga:
//!
//! | step            | leaves    | if a later step fails
//! |-----------------|-----------|----------------------------------------------
//! | own upload      | object    | deleted; its row is claimed first, forgotten last
//! | not made before |           |
//! | size            |           |
//! | whole object    |           |
//! | probe           |           |
//! | cover           |           |
//! | cover stored    | cover     | deleted
//! | row             | the video | rolled back with its transaction
//!
//! A publish and an abort of the same upload lock its row, so that only one of them succeeds. When it is unknown whether the row of the
//! video was stored, the row is looked up by its object key. When that fails, too, nothing is undone, and the reaper decides later.

use std::time::Duration;

use bytes::Bytes;
use dal::{
    DalError,
    idempotency::{First, Key, Kind},
    videos::{NewVideo, Video},
};
use idl::video::{PublishRequest, PublishResponse};

use crate::{
    VideoService,
    error::VideoError,
    media::{self, MediaError, Probe, ReadAt},
    object_key,
    saga::Saga,
    uploads::Leftover,
};

/// For all steps before the row; within the caller's deadline this leaves time for the row and for the undo.
const PREPARE_LIMIT: Duration = Duration::from_secs(60);
/// A request to the object store, with its retries.
const STORE_LIMIT: Duration = Duration::from_secs(20);
/// Reading the structure of a file; a file of many small pieces is read completely.
const READ_LIMIT: Duration = Duration::from_secs(30);
/// A statement. The data layer has its own, shorter deadlines; this one ends the step in any case.
const ROW_LIMIT: Duration = Duration::from_secs(10);

impl VideoService {
    pub(crate) async fn publish_video(
        &self,
        request: PublishRequest,
    ) -> Result<PublishResponse, VideoError> {
        let mut saga = Saga::begin(PREPARE_LIMIT);
        let failure = match self.run_steps(&mut saga, &request).await {
            Ok(video) => {
                return Ok(response(First {
                    id: video.id,
                    created_ms: video.published_ms,
                }));
            }
            Err(failure) => failure,
        };
        self.undo(saga, &request.object_key).await;
        match failure {
            VideoError::MadeBefore(first) => Ok(response(first)),
            failure => Err(failure),
        }
    }

    async fn run_steps(
        &self,
        saga: &mut Saga<Leftover>,
        request: &PublishRequest,
    ) -> Result<Video, VideoError> {
        let key: &str = &request.object_key;
        let repeat_key = repeat_key(request);
        saga.read("own upload", ROW_LIMIT, self.own_upload(request))
            .await?;
        saga.take_over(Leftover::Object);
        let made_before = self.not_made_before(request.author_id, repeat_key.as_ref());
        saga.read("not made before", ROW_LIMIT, made_before).await?;
        let size_bytes = saga
            .read("size", STORE_LIMIT, self.stored_size(request))
            .await?;
        saga.read("whole object", READ_LIMIT, self.whole(key, size_bytes))
            .await?;
        let probe_limit = self.media.probe_url_life();
        let probe = saga.read("probe", probe_limit, self.probe(key)).await?;
        let cover_limit = self.media.cover_url_life();
        let cover = saga
            .read("cover", cover_limit, self.cover(key, &probe))
            .await?;
        let put_cover = self.put_cover(key, cover);
        let cover_key = saga
            .step_with_undo("cover stored", STORE_LIMIT, Leftover::Cover, put_cover)
            .await?;
        let video = new_video(request, cover_key, &probe, repeat_key);
        saga.commit("row", ROW_LIMIT, self.row(&video)).await
    }

    /// Removes what the steps have left behind. What can't be removed now is left to the reaper.
    async fn undo(&self, saga: Saga<Leftover>, key: &str) {
        let undo = saga.undo();
        if undo.leftovers.is_empty() {
            return;
        }
        let undone = match self.uploads.remove(key, &undo).await {
            Ok(true) => Ok(()),
            // Another publish or an abort has removed the row.
            Ok(false) if undo.leftovers.contains(&Leftover::Cover) => {
                self.delete_lost_cover(key).await
            }
            Ok(false) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = undone {
            tracing::warn!(object_key = key, %error, "upload not removed; left to the reaper");
        }
    }

    /// The cover belongs to the video if another publish of this upload was faster. After an abort it belongs to nothing: the abort ran before
    /// the cover was stored.
    async fn delete_lost_cover(&self, key: &str) -> Result<(), VideoError> {
        let published = dal::videos::by_object_key(&self.db, key).await?;
        if published.is_none() {
            self.uploads.delete_cover(key).await?;
        }
        Ok(())
    }

    async fn own_upload(&self, request: &PublishRequest) -> Result<(), VideoError> {
        let age = object_key::age(&request.object_key).ok_or(VideoError::NoSuchUpload)?;
        let upload = dal::uploads::find(&self.db, &request.object_key).await?;
        let is_own =
            upload.is_some_and(|upload| upload.author_id == request.author_id && !upload.aborting);
        match is_own {
            false => Err(VideoError::NoSuchUpload),
            true if age > self.upload_deadline => Err(VideoError::UploadTooOld),
            true => Ok(()),
        }
    }

    async fn not_made_before(&self, author_id: i64, key: Option<&Key>) -> Result<(), VideoError> {
        let Some(key) = key else { return Ok(()) };
        match dal::videos::by_key(&self.db, &self.counters, author_id, key).await? {
            Some(first) => Err(VideoError::MadeBefore(first)),
            None => Ok(()),
        }
    }

    async fn stored_size(&self, request: &PublishRequest) -> Result<u64, VideoError> {
        let stat = self.store.stat(&request.object_key).await?;
        stat.map(|stat| stat.size_bytes)
            .filter(|size| *size == request.size_bytes.unsigned_abs())
            .ok_or(VideoError::OtherSize)
    }

    async fn whole(&self, key: &str, size_bytes: u64) -> Result<(), VideoError> {
        let object = StoredObject {
            store: &self.store,
            key,
        };
        Ok(media::complete(&object, size_bytes).await?)
    }

    async fn probe(&self, key: &str) -> Result<Probe, VideoError> {
        let url = self.store.internal_url(key, self.media.probe_url_life())?;
        Ok(self.media.probe(&url).await?)
    }

    async fn cover(&self, key: &str, video: &Probe) -> Result<Vec<u8>, VideoError> {
        let url = self.store.internal_url(key, self.media.cover_url_life())?;
        Ok(self.media.cover(&url, video).await?)
    }

    async fn put_cover(&self, key: &str, jpeg: Vec<u8>) -> Result<String, VideoError> {
        let cover_key = object_key::cover(key).ok_or(VideoError::NoSuchUpload)?;
        self.store
            .put(&cover_key, Bytes::from(jpeg), object_key::COVER_TYPE)
            .await?;
        Ok(cover_key)
    }

    async fn row(&self, video: &NewVideo) -> Result<Video, VideoError> {
        let failure = match dal::videos::publish(&self.db, &self.counters, video).await {
            Ok(video) => return Ok(video),
            Err(failure) => failure,
        };
        match failure {
            DalError::NotFound => Err(VideoError::NoSuchUpload),
            // Another publish with the same key was faster.
            DalError::Duplicate => {
                self.not_made_before(video.author_id, video.key.as_ref())
                    .await?;
                Err(failure.into())
            }
            DalError::TimedOut | DalError::Unavailable(_) => {
                match dal::videos::by_object_key(&self.db, &video.object_key).await {
                    Ok(Some(video)) => Ok(video),
                    // Not there yet, or unknown.
                    Ok(None) | Err(_) => Err(failure.into()),
                }
            }
            failure => Err(failure.into()),
        }
    }
}

/// Two publishes with one key are the same if author, title and bytes are.
fn repeat_key(request: &PublishRequest) -> Option<Key> {
    let key = request.idempotency_key.as_deref()?;
    let content = [&*request.title, &*request.sha256];
    Some(Key::new(request.author_id, Kind::Publish, key, &content))
}

fn new_video(
    request: &PublishRequest,
    cover_key: String,
    probe: &Probe,
    key: Option<Key>,
) -> NewVideo {
    NewVideo {
        author_id: request.author_id,
        title: request.title.to_string(),
        object_key: request.object_key.to_string(),
        cover_key,
        size_bytes: request.size_bytes,
        sha256: request.sha256.to_string(),
        duration_ms: i64::try_from(probe.duration_ms).unwrap_or(i64::MAX),
        width: i32::try_from(probe.width).unwrap_or(i32::MAX),
        height: i32::try_from(probe.height).unwrap_or(i32::MAX),
        key,
    }
}

fn response(made: First) -> PublishResponse {
    PublishResponse {
        video_id: made.id,
        published_ms: made.created_ms,
    }
}

struct StoredObject<'a> {
    store: &'a storage::Store,
    key: &'a str,
}

impl ReadAt for StoredObject<'_> {
    async fn read_at(&self, offset: u64, length: u64) -> Result<Bytes, MediaError> {
        Ok(self.store.read_range(self.key, offset, length).await?)
    }
}
