//! Publish: makes a video of an upload, or takes the upload back.
//!
//! | step           | undone by
//! |----------------|-----------------------------------------------------
//! | own upload     | its row forgotten, last
//! | whole object   | object deleted
//! | probe          |
//! | cover          | cover deleted
//! | row            | rolled back with its transaction
//!
//! Undone in reverse by [`VideoService::take_back`], which first claims the upload's row: of a publish and an abort only one wins.

use std::time::{Duration, Instant};

use bytes::Bytes;
use dal::{DalError, Reader, uploads::Upload, videos::NewVideo};
use idl::video::{PublishRequest, PublishResponse};

use crate::{
    VideoService,
    error::VideoError,
    media::{self, MediaError, Probe, ReadAt},
    object_key,
};

/// An older upload is the reaper's, and can't be published.
const UPLOAD_DEADLINE: Duration = Duration::from_secs(2 * 60 * 60);
/// Among so many works of an author another publish of the same moment is found.
const NEWEST: u64 = 100;
/// For all steps before the row; leaves the caller's deadline room for the row and for taking back.
const PREPARE_LIMIT: Duration = Duration::from_secs(60);
/// A request to the object store, its repeats included.
const STORE_LIMIT: Duration = Duration::from_secs(20);
/// Reading the structure of a file: of one that is all small pieces, every byte.
const READ_LIMIT: Duration = Duration::from_secs(30);

impl VideoService {
    pub(crate) async fn publish_video(
        &self,
        request: PublishRequest,
    ) -> Result<PublishResponse, VideoError> {
        self.own_upload(&request).await?;
        let video = match self.prepare(&request).await {
            Ok(video) => video,
            Err(error) => return Err(self.undo(&request.object_key, error).await),
        };
        match dal::videos::publish(&self.db, &self.counters, &video).await {
            Ok(published) => Ok(PublishResponse {
                video_id: published.id,
                published_ms: published.published_ms,
            }),
            // It may be published after all: the reaper looks again.
            Err(error @ (DalError::TimedOut | DalError::Unavailable(_))) => Err(error.into()),
            Err(DalError::NotFound) => Err(self.lost(&video).await),
            Err(error) => Err(self.undo(&video.object_key, error.into()).await),
        }
    }

    /// Somebody else had the row: another publish, to which the cover belongs now, or an abort, which came before the cover did.
    async fn lost(&self, video: &NewVideo) -> VideoError {
        let works =
            dal::videos::by_author(&self.db, video.author_id, None, NEWEST, &Reader::STRICT).await;
        let aborted = works
            .is_ok_and(|(works, _)| works.iter().all(|work| work.object_key != video.object_key));
        if aborted && let Err(error) = self.store.delete(&video.cover_key).await {
            tracing::warn!(cover_key = video.cover_key, %error, "cover not deleted, left to the reaper");
        }
        VideoError::NoSuchUpload
    }

    /// Everything before the row, in order.
    async fn prepare(&self, request: &PublishRequest) -> Result<NewVideo, VideoError> {
        let key: &str = &request.object_key;
        let steps = Steps::begin();
        let size_bytes = steps
            .take("size", STORE_LIMIT, self.stored_size(request))
            .await?;
        steps
            .take("whole object", READ_LIMIT, self.whole(key, size_bytes))
            .await?;
        let probe = steps
            .take("probe", self.media.probe_url_life(), self.probe(key))
            .await?;
        let cover = steps
            .take(
                "cover",
                self.media.cover_url_life(),
                self.cover(key, &probe),
            )
            .await?;
        let cover_key = steps
            .take("cover stored", STORE_LIMIT, self.put_cover(key, cover))
            .await?;
        Ok(NewVideo {
            author_id: request.author_id,
            title: request.title.to_string(),
            object_key: key.to_owned(),
            cover_key,
            size_bytes: request.size_bytes,
            sha256: request.sha256.to_string(),
            duration_ms: i64::try_from(probe.duration_ms).unwrap_or(i64::MAX),
            width: i32::try_from(probe.width).unwrap_or(i32::MAX),
            height: i32::try_from(probe.height).unwrap_or(i32::MAX),
        })
    }

    /// Takes the upload back; answers why. What can't be removed now is left to the reaper.
    async fn undo(&self, key: &str, cause: VideoError) -> VideoError {
        if let Err(error) = self.take_back(key).await {
            tracing::warn!(object_key = key, %error, "upload not taken back, left to the reaper");
        }
        cause
    }

    async fn own_upload(&self, request: &PublishRequest) -> Result<Upload, VideoError> {
        let age = object_key::age(&request.object_key).ok_or(VideoError::NoSuchUpload)?;
        let upload = dal::uploads::find(&self.db, &request.object_key)
            .await?
            .filter(|upload| upload.author_id == request.author_id && !upload.aborting)
            .ok_or(VideoError::NoSuchUpload)?;
        if age > UPLOAD_DEADLINE {
            return Err(VideoError::UploadTooOld);
        }
        Ok(upload)
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
}

/// Gives each step a deadline of its own, and all of them one.
struct Steps {
    end: Instant,
}

impl Steps {
    fn begin() -> Self {
        Self {
            end: Instant::now() + PREPARE_LIMIT,
        }
    }

    async fn take<T>(
        &self,
        name: &'static str,
        limit: Duration,
        step: impl Future<Output = Result<T, VideoError>>,
    ) -> Result<T, VideoError> {
        let begun = Instant::now();
        let left = self.end.saturating_duration_since(begun);
        let outcome = tokio::time::timeout(limit.min(left), step)
            .await
            .unwrap_or(Err(VideoError::TimedOut(name)));
        tracing::debug!(
            step = name,
            took_ms = begun.elapsed().as_millis() as u64,
            ok = outcome.is_ok()
        );
        outcome
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
