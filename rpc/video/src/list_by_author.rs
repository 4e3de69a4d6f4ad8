//! The works of an author, newest first.

use dal::Page;
use idl::video::{ListByAuthorRequest, ListByAuthorResponse};

use crate::{VideoService, error::VideoError};

impl VideoService {
    pub(crate) async fn works(
        &self,
        request: ListByAuthorRequest,
    ) -> Result<ListByAuthorResponse, VideoError> {
        let Page {
            entries,
            next_before,
        } = dal::videos::by_author(
            &self.db,
            request.author_id,
            request.before,
            u64::from(request.limit.unsigned_abs()),
            &service::reader(),
        )
        .await?;
        let videos = entries.into_iter().map(|video| self.shown(video));
        Ok(ListByAuthorResponse {
            videos: videos.collect::<Result<_, _>>()?,
            has_more: next_before.is_some(),
            next_before,
        })
    }
}
