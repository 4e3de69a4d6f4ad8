//! Sets the tombstone of a deleted user, then deletes their follows in batches for about a second. The caller repeats while `has_more`.

use dal::follows::{set_tombstone, sweep};
use idl::relation::{ForgetFollowsRequest, ForgetFollowsResponse};
use rpc_server::Sweep;
use volo_thrift::ServerError;

use crate::{RelationService, to_server_error};

impl RelationService {
    pub(crate) async fn forget(
        &self,
        request: ForgetFollowsRequest,
    ) -> Result<ForgetFollowsResponse, ServerError> {
        let user_id = request.user_id;
        set_tombstone(&self.db, user_id)
            .await
            .map_err(to_server_error)?;
        let batch = |limit| sweep(&self.db, &self.counters, user_id, limit);
        let has_more = Sweep::begin().run(batch).await.map_err(to_server_error)?;
        Ok(ForgetFollowsResponse { has_more })
    }
}
