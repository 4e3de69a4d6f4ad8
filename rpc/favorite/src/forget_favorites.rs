//! Sets the tombstone of a deleted video or user, then deletes its likes in batches for about a second. The caller repeats while
//! `has_more`.

use dal::favorites::{bury, sweep};
use idl::favorite::{ForgetFavoritesRequest, ForgetFavoritesResponse};
use rpc_server::{Sweeping, deletable};
use volo_thrift::ServerError;

use crate::{FavoriteService, fault};

impl FavoriteService {
    pub(crate) async fn forget(
        &self,
        request: ForgetFavoritesRequest,
    ) -> Result<ForgetFavoritesResponse, ServerError> {
        let deleted = deletable(request.kind, request.id)?;
        bury(&self.db, deleted).await.map_err(fault)?;
        let batch = |limit| sweep(&self.db, &self.counters, deleted, limit);
        let has_more = Sweeping::begin().run(batch).await.map_err(fault)?;
        Ok(ForgetFavoritesResponse { has_more })
    }
}
