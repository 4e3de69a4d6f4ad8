//! A page of the feed: the newest videos of all, before a time.

use idl::video::{FeedRequest, FeedResponse};

use crate::{VideoService, error::VideoError};

impl VideoService {
    pub(crate) async fn feed_page(&self, request: FeedRequest) -> Result<FeedResponse, VideoError> {
        let page = dal::videos::feed_page(
            &self.db,
            request.before_ms,
            u64::from(request.limit.unsigned_abs()),
            &service::reader(),
        )
        .await?;
        let videos = page.into_iter().map(|video| self.shown(video));
        Ok(FeedResponse {
            videos: videos.collect::<Result<_, _>>()?,
        })
    }
}
