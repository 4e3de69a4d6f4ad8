//! Sets the tombstone of a deleted video or user, then deletes its likes in batches for about a second. The caller repeats while
//! `has_more`.

use dal::favorites::{set_tombstone, sweep};
use idl::favorite::{ForgetFavoritesRequest, ForgetFavoritesResponse};
use rpc_server::{Sweep, deletable};
use volo_thrift::ServerError;

use crate::{FavoriteService, to_server_error};

impl FavoriteService {
    pub(crate) async fn forget(
        &self,
        request: ForgetFavoritesRequest,
    ) -> Result<ForgetFavoritesResponse, ServerError> {
        let deleted = deletable(request.kind, request.id)?;
        set_tombstone(&self.db, deleted)
            .await
            .map_err(to_server_error)?;
        let batch = |limit| sweep(&self.db, &self.counters, deleted, limit);
        let has_more = Sweep::begin().run(batch).await.map_err(to_server_error)?;
        Ok(ForgetFavoritesResponse { has_more })
    }
}
