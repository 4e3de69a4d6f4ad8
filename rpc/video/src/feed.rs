//! A page of the feed: the newest videos published before a time.

use std::time::Duration;

use dal::videos::Video;
use idl::video::{FeedRequest, FeedResponse};
use rpc_server::counts_timeout;

use crate::{VideoService, error::VideoError};

impl VideoService {
    pub(crate) async fn feed_page(&self, request: FeedRequest) -> Result<FeedResponse, VideoError> {
        let limit = counts_timeout(service::deadline());
        let page = dal::videos::feed_page(
            &self.db,
            request.before_ms,
            u64::from(request.limit.unsigned_abs()),
            &service::reader(),
        )
        .await?;
        self.feed_of(page, limit).await
    }

    /// With the exact counts, if they come within `limit`.
    pub(crate) async fn feed_of(
        &self,
        mut page: Vec<Video>,
        limit: Duration,
    ) -> Result<FeedResponse, VideoError> {
        let now_ms = match page.is_empty() {
            true => self.now_ms().await,
            false => None,
        };
        let counts = self.count(&mut page, limit).await;
        let videos = page.into_iter().map(|video| self.to_api(video));
        Ok(FeedResponse {
            videos: videos.collect::<Result<_, _>>()?,
            now_ms,
            author_counts: Some(counts),
        })
    }

    /// None while the primary is away: the page is good without it.
    async fn now_ms(&self) -> Option<i64> {
        let now = dal::videos::now_ms(&self.db).await;
        now.inspect_err(|error| tracing::warn!(%error, "the end of the feed is told without the primary's clock"))
            .ok()
    }
}
