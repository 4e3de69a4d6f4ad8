//! The authors of videos: asked of the video service once and cached, because the author of a video never changes. A deleted video may be cached for ever; a write to it is
//! refused by the data layer.

use dal::DalError;
use facts::Facts;
use idl::{
    base::Code,
    biz,
    video::{MGetAuthorsRequest, VideoServiceClient},
};
use service::RpcError;
use volo_thrift::ServerError;

use crate::fault;

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

    /// What a write came to that needed this video's author. The data layer finds that a video is deleted, whatever is cached here: then it is
    /// `NO_SUCH_VIDEO`, and asked for again next time.
    ///
    /// # Errors
    /// As [`fault()`] has it.
    pub fn written<T>(&self, video_id: i64, result: Result<T, DalError>) -> Result<T, ServerError> {
        result.map_err(|error| match error {
            DalError::NotFound => {
                self.cache.remove(&video_id);
                biz(Code::NO_SUCH_VIDEO, "").into()
            }
            error => fault(error),
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
