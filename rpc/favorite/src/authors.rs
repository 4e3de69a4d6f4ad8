//! Whose a video is. It never changes and videos are never deleted, so what was once learnt is kept.

use idl::{
    base::Code,
    biz,
    video::{MGetAuthorsRequest, VideoServiceClient},
};
use quick_cache::sync::Cache;
use service::RpcError;
use volo_thrift::ServerError;

/// Videos that are remembered: 16 bytes each and some overhead, a few MB in all.
const REMEMBERED: usize = 100_000;

/// The authors of videos.
pub(crate) struct Authors {
    video: VideoServiceClient,
    known: Cache<i64, i64>,
}

impl Authors {
    pub(crate) fn new(video: VideoServiceClient) -> Self {
        Self {
            video,
            known: Cache::new(REMEMBERED),
        }
    }

    /// The author of a video; `NO_SUCH_VIDEO` when there is none. That a video is missing is not remembered.
    pub(crate) async fn of(&self, video_id: i64) -> Result<i64, ServerError> {
        if let Some(author_id) = self.known.get(&video_id) {
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
        self.known.insert(video_id, author_id);
        Ok(author_id)
    }
}
