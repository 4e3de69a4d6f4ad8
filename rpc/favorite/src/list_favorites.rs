//! What a user likes, latest like first.

use dal::DalError;
use idl::{
    base::Code,
    biz,
    favorite::{ListFavoritesRequest, ListFavoritesResponse},
};
use volo_thrift::ServerError;

use crate::{FavoriteService, fault};

impl FavoriteService {
    pub(crate) async fn liked_videos(
        &self,
        request: ListFavoritesRequest,
    ) -> Result<ListFavoritesResponse, ServerError> {
        let limit = u64::from(request.limit.unsigned_abs());
        let reader = service::reader();
        let (user_id, before) = (request.user_id, request.before_video_id);
        let page = dal::favorites::list(&self.db, user_id, before, limit, &reader);
        match page.await {
            Ok((video_ids, has_more)) => Ok(ListFavoritesResponse {
                video_ids,
                has_more,
            }),
            Err(DalError::NotFound) => Err(biz(Code::NO_SUCH_VIDEO, "").into()),
            Err(error) => Err(fault(error)),
        }
    }
}
