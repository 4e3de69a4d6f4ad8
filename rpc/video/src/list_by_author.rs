//! The works of an author, newest first.

use dal::DalError;
use idl::video::{ListByAuthorRequest, ListByAuthorResponse};

use crate::{VideoService, error::VideoError};

impl VideoService {
    pub(crate) async fn works(
        &self,
        request: ListByAuthorRequest,
    ) -> Result<ListByAuthorResponse, VideoError> {
        let (page, has_more) = dal::videos::by_author(
            &self.db,
            request.author_id,
            request.before_video_id,
            u64::from(request.limit.unsigned_abs()),
            &service::reader(),
        )
        .await
        .map_err(|error| match error {
            DalError::NotFound => VideoError::NoSuchVideo,
            error => error.into(),
        })?;
        let videos = page.into_iter().map(|video| self.shown(video));
        Ok(ListByAuthorResponse {
            videos: videos.collect::<Result<_, _>>()?,
            has_more,
        })
    }
}
