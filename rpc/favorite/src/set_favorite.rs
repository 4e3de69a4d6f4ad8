//! Like and unlike. Both are idempotent: only a row that changed is counted.

use dal::favorites::FavoriteOp;
use idl::favorite::{SetFavoriteRequest, SetFavoriteResponse};
use volo_thrift::ServerError;

use crate::{FavoriteService, fault};

impl FavoriteService {
    pub(crate) async fn like_or_unlike(
        &self,
        request: SetFavoriteRequest,
    ) -> Result<SetFavoriteResponse, ServerError> {
        let SetFavoriteRequest {
            user_id,
            video_id,
            liked,
        } = request;
        let author_id = self.authors.of(video_id).await?;
        let op = FavoriteOp {
            user_id,
            video_id,
            author_id,
            liked,
        };
        let changed = self.favorites.set(op).await.map_err(fault)?;
        Ok(SetFavoriteResponse { changed })
    }
}
