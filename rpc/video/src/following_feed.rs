//! A page of the feed with the videos of certain authors alone: those whom somebody follows.

use idl::video::{FeedResponse, FollowingFeedRequest};
use rpc_server::counts_timeout;

use crate::{VideoService, error::VideoError};

impl VideoService {
    pub(crate) async fn following_page(
        &self,
        request: FollowingFeedRequest,
    ) -> Result<FeedResponse, VideoError> {
        let limit = counts_timeout(service::deadline());
        let page = dal::following_feed::page(
            &self.db,
            &request.author_ids,
            request.before_ms,
            u64::from(request.limit.unsigned_abs()),
            &service::reader(),
        )
        .await?;
        self.feed_of(page, limit).await
    }
}
