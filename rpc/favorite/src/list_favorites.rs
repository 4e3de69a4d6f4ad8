//! What a user likes, latest like first.

use dal::Page;
use idl::favorite::{ListFavoritesRequest, ListFavoritesResponse};
use volo_thrift::ServerError;

use crate::{FavoriteService, to_server_error};

impl FavoriteService {
    pub(crate) async fn liked_videos(
        &self,
        request: ListFavoritesRequest,
    ) -> Result<ListFavoritesResponse, ServerError> {
        let limit = u64::from(request.limit.unsigned_abs());
        let reader = service::reader();
        let page = dal::favorites::list(&self.db, request.user_id, request.before, limit, &reader);
        let Page {
            entries,
            next_before,
        } = page.await.map_err(to_server_error)?;
        Ok(ListFavoritesResponse {
            video_ids: entries,
            has_more: next_before.is_some(),
            next_before,
        })
    }
}
