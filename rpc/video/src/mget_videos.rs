//! Videos by their ids, a page at a time, and the authors of videos.

use idl::video::{MGetAuthorsRequest, MGetAuthorsResponse, MGetVideosRequest, MGetVideosResponse};

use crate::{VideoService, error::VideoError};

impl VideoService {
    pub(crate) async fn videos_by_id(
        &self,
        request: MGetVideosRequest,
    ) -> Result<MGetVideosResponse, VideoError> {
        // A video may have been deleted: whoever asks with its mark sees that.
        let reader = service::reader();
        let mut videos = dal::videos::mget(&self.db, &request.video_ids, &reader).await?;
        // One that isn't ready is its author's.
        if let (Some(viewer), [id], true) =
            (request.viewer_id, &request.video_ids[..], videos.is_empty())
        {
            videos.extend(dal::videos::own(&self.db, *id, viewer).await?);
        }
        let videos = videos.into_iter().map(|video| self.to_api(video));
        Ok(MGetVideosResponse {
            videos: videos.collect::<Result<_, _>>()?,
        })
    }

    pub(crate) async fn authors_by_id(
        &self,
        request: MGetAuthorsRequest,
    ) -> Result<MGetAuthorsResponse, VideoError> {
        let authors =
            dal::videos::authors_of(&self.db, &request.video_ids, &service::reader()).await?;
        Ok(MGetAuthorsResponse {
            author_ids: authors.into_iter().collect(),
        })
    }
}
