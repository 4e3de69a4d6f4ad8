//! The works of an author, newest first.

use dal::Page;
use idl::video::{ListByAuthorRequest, ListByAuthorResponse};
use rpc_server::counts_timeout;

use crate::{VideoService, error::VideoError};

impl VideoService {
    pub(crate) async fn works(
        &self,
        request: ListByAuthorRequest,
    ) -> Result<ListByAuthorResponse, VideoError> {
        let limit = counts_timeout(service::deadline());
        let Page {
            mut entries,
            next_before,
        } = dal::videos::by_author(
            &self.db,
            request.author_id,
            request.before,
            u64::from(request.limit.unsigned_abs()),
            request.is_own.unwrap_or(false),
            &service::reader(),
        )
        .await?;
        let counts = self.count(&mut entries, limit).await;
        let videos = entries.into_iter().map(|video| self.to_api(video));
        Ok(ListByAuthorResponse {
            videos: videos.collect::<Result<_, _>>()?,
            has_more: next_before.is_some(),
            next_before,
            author_counts: Some(counts),
        })
    }
}
