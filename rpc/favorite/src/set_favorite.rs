//! Like and unlike. Both are idempotent: only a row that changed is counted.

use dal::favorites::FavoriteOp;
use idl::favorite::{SetFavoriteRequest, SetFavoriteResponse};
use volo_thrift::ServerError;

use crate::{FavoriteService, time_left};

impl FavoriteService {
    pub(crate) async fn like_or_unlike(
        &self,
        request: SetFavoriteRequest,
    ) -> Result<SetFavoriteResponse, ServerError> {
        let deadline = service::deadline();
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
        // What was given up isn't carried out later: the user may have done the opposite elsewhere meanwhile.
        let set = self.favorites.set_within(op, time_left(deadline));
        let changed = self.authors.map_write_error(video_id, set.await)?;
        Ok(SetFavoriteResponse { changed })
    }
}
