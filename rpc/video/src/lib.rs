//! The video service: upload, publish, feed, lists of works; and the transcoder beside it. One use case a file.
//!
//! An object in the store belongs to a row of `uploads` or to a video; the lock of that row decides between a publish and an abort. What can't
//! be made at once of an upload, the program `transcoder` makes.
//! The [`Reaper`] removes what a killed process leaves behind.

mod abort_upload;
mod begin_upload;
mod counted;
mod deletions;
mod error;
mod feed;
mod following_feed;
mod list_by_author;
pub mod media;
mod mget_videos;
mod object_key;
mod publish_video;
mod reaper;
mod saga;
mod to_api;
mod transcoder;
mod uploads;

use std::{sync::Arc, time::Duration};

use dal::{Db, counters::Counters};
use idl::video as api;
use storage::Store;
use volo_thrift::ServerError;

pub use deletions::{DeletionTask, Deletions};
use error::{Answer as _, VideoError};
use media::Media;
pub use reaper::{ReapError, Reaped, Reaper, ReaperTask};
pub use transcoder::{Transcoder, TranscoderTask};
use uploads::Uploads;

/// Handles the calls of `video.thrift`.
pub struct VideoService {
    db: Db,
    counters: Counters,
    store: Store,
    media: Arc<Media>,
    uploads: Uploads,
    upload_deadline: Duration,
    remux_always_bytes: u64,
    keep_originals: bool,
    max_unfinished: u64,
    deletions: Option<Deletions>,
}

impl VideoService {
    /// A service over this database, its counters and an object store.
    pub fn new(
        db: Db,
        counters: Counters,
        store: Store,
        media: Media,
        settings: &settings::Settings,
    ) -> Self {
        Self {
            uploads: Uploads {
                db: db.clone(),
                store: store.clone(),
            },
            db,
            counters,
            store,
            media: Arc::new(media),
            upload_deadline: Duration::from_secs(settings.upload.deadline_s),
            remux_always_bytes: settings.media.remux_always_bytes,
            keep_originals: settings.media.keep_originals,
            max_unfinished: settings.media.max_unfinished,
            deletions: None,
        }
    }

    /// One that also deletes videos. Without it such a call is refused as `UNAVAILABLE`.
    #[must_use]
    pub fn with_deletions(self, deletions: Deletions) -> Self {
        Self {
            deletions: Some(deletions),
            ..self
        }
    }

    fn deletions(&self) -> Result<&Deletions, VideoError> {
        self.deletions.as_ref().ok_or(VideoError::NoDeletions)
    }
}

impl api::VideoService for VideoService {
    async fn feed(&self, request: api::FeedRequest) -> Result<api::FeedResponse, ServerError> {
        self.feed_page(request).await.answer()
    }

    async fn following_feed(
        &self,
        request: api::FollowingFeedRequest,
    ) -> Result<api::FeedResponse, ServerError> {
        self.following_page(request).await.answer()
    }

    async fn list_by_author(
        &self,
        request: api::ListByAuthorRequest,
    ) -> Result<api::ListByAuthorResponse, ServerError> {
        self.works(request).await.answer()
    }

    async fn mget_videos(
        &self,
        request: api::MGetVideosRequest,
    ) -> Result<api::MGetVideosResponse, ServerError> {
        self.videos_by_id(request).await.answer()
    }

    async fn mget_authors(
        &self,
        request: api::MGetAuthorsRequest,
    ) -> Result<api::MGetAuthorsResponse, ServerError> {
        self.authors_by_id(request).await.answer()
    }

    async fn begin_upload(
        &self,
        request: api::BeginUploadRequest,
    ) -> Result<api::BeginUploadResponse, ServerError> {
        self.new_upload(request).await.answer()
    }

    async fn publish(
        &self,
        request: api::PublishRequest,
    ) -> Result<api::PublishResponse, ServerError> {
        self.publish_video(request).await.answer()
    }

    async fn abort_upload(
        &self,
        request: api::AbortUploadRequest,
    ) -> Result<api::AbortUploadResponse, ServerError> {
        self.abort(request).await.answer()
    }

    async fn delete_video(
        &self,
        request: api::DeleteVideoRequest,
    ) -> Result<api::DeleteVideoResponse, ServerError> {
        self.delete_own(request).await.answer()
    }

    async fn take_down_video(
        &self,
        request: api::TakeDownVideoRequest,
    ) -> Result<api::TakeDownVideoResponse, ServerError> {
        self.take_down(request).await.answer()
    }

    async fn forget_author(
        &self,
        request: api::ForgetAuthorRequest,
    ) -> Result<api::ForgetAuthorResponse, ServerError> {
        self.forget(request).await.answer()
    }
}
