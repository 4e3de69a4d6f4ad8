//! Publishes an upload as a video, or removes the upload. The steps of the saga:
//!
//! | step              | leaves           | if a later step fails
//! |-------------------|------------------|-------------------------------------------------
//! | own upload        | the upload       | deleted; its row is claimed first, forgotten last
//! | not made before   |                  |
//! | size              |                  |
//! | whole object      |                  |
//! | probe             |                  |
//! | derived recorded  | its row          | removed with what is stored under it
//! | remux             | (a scratch file) |
//! | derived stored    | derived object   | deleted
//! | cover             |                  |
//! | cover stored      | covers           | deleted
//! | row               | the video        | rolled back with its transaction
//!
//! What can't be remuxed at once is left to a job: then the cover belongs to the upload. A publish and an abort of the same upload lock its
//! row, so that only one of them succeeds. When it is unknown whether the row of the video was stored, or whether readers see it, the row is
//! looked up by its object key, and confirmed. When that fails, too, nothing is acknowledged and nothing is undone, and the reaper
//! decides later. After the row, the original is deleted.

mod undo;

use std::time::Duration;

use bytes::Bytes;
use dal::{
    DalError,
    idempotency::{First, Key, Kind},
    videos::{self, NewVideo, Outcome, Video},
};
use idl::video::{PublishRequest, PublishResponse};

use crate::{
    VideoService,
    error::VideoError,
    media::{self, Cover, Format, MediaError, Plan, Probe, ReadAt, Remuxed},
    object_key,
    saga::Saga,
};
use undo::PublishLeftover;

/// For all steps before the row; within the caller's deadline this leaves time for the row and for the undo.
const PREPARE_TIMEOUT: Duration = Duration::from_secs(60);
/// A request to the object store, with its retries.
const STORE_TIMEOUT: Duration = Duration::from_secs(20);
/// Reading the structure of a file; a file of many small pieces is read completely.
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// A statement. The data layer has its own, shorter deadlines; this one ends the step in any case.
const ROW_TIMEOUT: Duration = Duration::from_secs(10);

impl VideoService {
    pub(crate) async fn publish_video(
        &self,
        request: PublishRequest,
    ) -> Result<PublishResponse, VideoError> {
        let mut saga = Saga::begin(PREPARE_TIMEOUT);
        let failure = match self.run_steps(&mut saga, &request).await {
            Ok(video) => {
                self.delete_original(&request.object_key, &video).await;
                return Ok(response(First {
                    id: video.id,
                    created_ms: video.created_ms,
                }));
            }
            Err(failure) => failure,
        };
        self.undo(saga, &request.object_key).await;
        match failure {
            VideoError::AlreadyPublished(first) => Ok(response(first)),
            failure => Err(failure),
        }
    }

    async fn run_steps(
        &self,
        saga: &mut Saga<PublishLeftover>,
        request: &PublishRequest,
    ) -> Result<Video, VideoError> {
        let key: &str = &request.object_key;
        let idempotency_key = idempotency_key(request);
        saga.read("own upload", ROW_TIMEOUT, self.check_ownership(request))
            .await?;
        saga.take_over(PublishLeftover::Upload);
        let check = self.check_idempotency_key(request.author_id, idempotency_key.as_ref());
        saga.read("not made before", ROW_TIMEOUT, check).await?;
        let size_bytes = saga
            .read("size", STORE_TIMEOUT, self.stored_size(request))
            .await?;
        saga.read(
            "whole object",
            READ_TIMEOUT,
            self.check_complete(key, size_bytes),
        )
        .await?;
        let probe_limit = self.media.probe_url_ttl();
        let probe = saga.read("probe", probe_limit, self.probe(key)).await?;
        let derived = self.derive(saga, request, &probe, size_bytes).await?;
        if derived.is_none() {
            let check = self.check_unfinished_limit(request.author_id);
            saga.read("few unfinished", ROW_TIMEOUT, check).await?;
        }
        let cover_limit = self.media.cover_url_ttl();
        let cover = saga
            .read("cover", cover_limit, self.cover(key, &probe))
            .await?;
        let (shown, left) = match &derived {
            Some((derived, _)) => (&**derived, PublishLeftover::Derived(derived.clone())),
            None => (key, PublishLeftover::Cover),
        };
        let put_cover = self.uploads.put_cover(shown, cover);
        let cover_key = saga
            .step_with_undo("cover stored", STORE_TIMEOUT, left, put_cover)
            .await?;
        let size = derived.as_ref().map_or(size_bytes, |(_, size)| *size);
        let media = media_of(shown, cover_key, &probe, size);
        let video = self.new_video(request, media, derived.is_some(), idempotency_key);
        saga.commit("row", ROW_TIMEOUT, self.insert_video(&video))
            .await
    }

    /// Makes and stores what viewers get, if every browser plays the streams of the upload, and it can be made at once; its key and size.
    async fn derive(
        &self,
        saga: &mut Saga<PublishLeftover>,
        request: &PublishRequest,
        probe: &Probe,
        size_bytes: u64,
    ) -> Result<Option<(String, u64)>, VideoError> {
        let Plan::Remux {
            into,
            is_same: true,
        } = self.media.plan(probe, size_bytes)
        else {
            return Ok(None);
        };
        let limit = self.media.probe_url_ttl();
        let remux = self.remux(&request.object_key, probe, into, size_bytes);
        let remuxed = match saga.read("remux", limit, remux).await {
            Ok(remuxed) => remuxed,
            // Another process has more time, space and memory; what is wrong with the file, it will tell.
            Err(
                reason @ (VideoError::NotAVideo(_)
                | VideoError::Media(
                    MediaError::Busy | MediaError::DiskFull(_) | MediaError::Killed(_),
                )
                | VideoError::TimedOut(_)),
            ) => {
                tracing::info!(%reason, "not remuxed at once; a job will do it");
                return Ok(None);
            }
            Err(failure) => return Err(failure),
        };
        let (key, content_type) = object_key::derived(&object_key::new_token(), remuxed.format);
        let record = self.record(&key, request.author_id);
        let left = || PublishLeftover::Derived(key.clone());
        saga.step_with_undo("derived recorded", ROW_TIMEOUT, left(), record)
            .await?;
        let put = self.uploads.put_file(&key, content_type, &remuxed.file);
        let size = saga
            .step_with_undo("derived stored", READ_TIMEOUT, left(), put)
            .await?;
        Ok(Some((key, size)))
    }

    async fn record(&self, key: &str, author_id: i64) -> Result<(), VideoError> {
        Ok(dal::uploads::record_derived(&self.db, &[key.to_owned()], author_id).await?)
    }

    async fn remux(
        &self,
        key: &str,
        probe: &Probe,
        into: Format,
        size_bytes: u64,
    ) -> Result<Remuxed, VideoError> {
        let url = self.store.internal_url(key, self.media.probe_url_ttl())?;
        let is_small = size_bytes <= self.remux_always_bytes;
        let remuxed = self
            .media
            .remux_at_once(&url, probe, into, size_bytes, is_small);
        Ok(remuxed.await?)
    }

    /// So that nobody waits for a cover in vain; the row is decided by the same count, under a lock.
    async fn check_unfinished_limit(&self, author_id: i64) -> Result<(), VideoError> {
        match videos::unfinished_of(&self.db, author_id).await? < self.max_unfinished {
            true => Ok(()),
            false => Err(VideoError::TooManyUnfinished(self.max_unfinished)),
        }
    }

    async fn check_ownership(&self, request: &PublishRequest) -> Result<(), VideoError> {
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

    async fn check_idempotency_key(
        &self,
        author_id: i64,
        key: Option<&Key>,
    ) -> Result<(), VideoError> {
        let Some(key) = key else { return Ok(()) };
        match videos::by_key(&self.db, &self.counters, author_id, key).await? {
            Some(first) => Err(VideoError::AlreadyPublished(first)),
            None => Ok(()),
        }
    }

    async fn stored_size(&self, request: &PublishRequest) -> Result<u64, VideoError> {
        let stat = self.store.stat(&request.object_key).await?;
        stat.map(|stat| stat.size_bytes)
            .filter(|size| *size == request.size_bytes.unsigned_abs())
            .ok_or(VideoError::OtherSize)
    }

    async fn check_complete(&self, key: &str, size_bytes: u64) -> Result<(), VideoError> {
        let object = StoredObject {
            store: &self.store,
            key,
        };
        Ok(media::complete(&object, size_bytes).await?)
    }

    async fn probe(&self, key: &str) -> Result<Probe, VideoError> {
        let url = self.store.internal_url(key, self.media.probe_url_ttl())?;
        Ok(self.media.probe(&url).await?)
    }

    async fn cover(&self, key: &str, video: &Probe) -> Result<Cover, VideoError> {
        let url = self.store.internal_url(key, self.media.cover_url_ttl())?;
        Ok(self.media.cover(&url, video).await?)
    }

    async fn insert_video(&self, video: &NewVideo) -> Result<Video, VideoError> {
        let failure = match videos::publish(&self.db, &self.counters, video).await {
            Ok(video) => return Ok(video),
            Err(failure) => failure,
        };
        match failure {
            DalError::NotFound => Err(VideoError::NoSuchUpload),
            DalError::TooManyUnfinished => Err(VideoError::TooManyUnfinished(self.max_unfinished)),
            // Another publish with the same key was faster.
            DalError::Duplicate => {
                self.check_idempotency_key(video.author_id, video.key.as_ref())
                    .await?;
                Err(failure.into())
            }
            DalError::TimedOut | DalError::Unavailable(_) => {
                let key = &video.media.object_key;
                match videos::confirm(&self.db, &self.counters, key).await {
                    Ok(Some(video)) => Ok(video),
                    // Not there yet, or unknown, or readers may miss it. The first failure leaves the outcome unknown, so nothing is undone.
                    Ok(None) | Err(_) => Err(failure.into()),
                }
            }
            failure => Err(failure.into()),
        }
    }

    fn new_video(
        &self,
        request: &PublishRequest,
        media: videos::Media,
        is_ready: bool,
        key: Option<Key>,
    ) -> NewVideo {
        NewVideo {
            author_id: request.author_id,
            title: request.title.to_string(),
            upload_key: request.object_key.to_string(),
            size_bytes: request.size_bytes,
            sha256: request.sha256.to_string(),
            media,
            outcome: match is_ready {
                true => Outcome::Ready {
                    keep_original: self.keep_originals,
                },
                false => Outcome::Job {
                    max_unfinished: self.max_unfinished,
                },
            },
            key,
        }
    }
}

/// Two publishes with one key are the same if author, title and bytes are.
fn idempotency_key(request: &PublishRequest) -> Option<Key> {
    let key = request.idempotency_key.as_deref()?;
    let content = [&*request.title, &*request.sha256];
    Some(Key::new(request.author_id, Kind::Publish, key, &content))
}

/// What plays from the object of `size_bytes` at `object_key`.
pub(crate) fn media_of(
    object_key: &str,
    cover_key: String,
    probe: &Probe,
    size_bytes: u64,
) -> videos::Media {
    videos::Media {
        object_key: object_key.to_owned(),
        cover_key,
        has_small_cover: true,
        duration_ms: i64::try_from(probe.duration_ms).unwrap_or(i64::MAX),
        width: i32::try_from(probe.width).unwrap_or(i32::MAX),
        height: i32::try_from(probe.height).unwrap_or(i32::MAX),
        bit_rate: bit_rate(size_bytes, probe.duration_ms),
        small: None,
    }
}

/// Bits a second.
pub(crate) fn bit_rate(size_bytes: u64, duration_ms: u64) -> i32 {
    let bits = size_bytes.saturating_mul(8000) / duration_ms.max(1);
    i32::try_from(bits).unwrap_or(i32::MAX)
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
