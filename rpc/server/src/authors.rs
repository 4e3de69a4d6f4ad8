//! The authors of videos: asked of the video service once and cached, because the author of a video never changes.
//!
//! A deleted video may be cached for ever: the data layer refuses a write to it.

use dal::DalError;
use facts::Facts;
use idl::{
    base::Code,
    biz,
    video::{MGetAuthorsRequest, VideoServiceClient},
};
use service::RpcError;
use volo_thrift::ServerError;

use crate::to_server_error;

/// Cached videos: some 50 bytes each, 5 MB in all.
const MAX_CACHED: usize = 100_000;

/// The authors of videos, cached in the process.
pub struct Authors {
    video: VideoServiceClient,
    cache: Facts<i64, i64>,
}

impl Authors {
    /// With an empty cache.
    pub fn new(video: VideoServiceClient) -> Self {
        Self {
            video,
            cache: Facts::new("authors", MAX_CACHED, None),
        }
    }

    /// Maps the error of a write that used this video's author. If the data layer finds the video deleted, the cached author is
    /// invalidated, and the error is `NO_SUCH_VIDEO`.
    ///
    /// # Errors
    /// All others are those of [`to_server_error`].
    pub fn map_write_error<T>(
        &self,
        video_id: i64,
        result: Result<T, DalError>,
    ) -> Result<T, ServerError> {
        result.map_err(|error| match error {
            DalError::NotFound => {
                self.cache.remove(&video_id);
                biz(Code::NO_SUCH_VIDEO, "").into()
            }
            error => to_server_error(error),
        })
    }

    /// The author of a video. That a video is missing isn't cached: it may be published yet.
    ///
    /// # Errors
    /// `NO_SUCH_VIDEO` when there is none; what the video service answers when it fails.
    pub async fn of(&self, video_id: i64) -> Result<i64, ServerError> {
        if let Some(author_id) = self.cache.get(&video_id) {
            return Ok(author_id);
        }
        let request = MGetAuthorsRequest {
            video_ids: vec![video_id],
        };
        let answer = self
            .video
            .mget_authors(request)
            .await
            .map_err(RpcError::from)?;
        let Some(author_id) = answer.author_ids.get(&video_id).copied() else {
            return Err(biz(Code::NO_SUCH_VIDEO, "").into());
        };
        self.cache.insert(video_id, author_id);
        Ok(author_id)
    }
}
