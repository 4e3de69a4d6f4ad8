//! Sets the tombstone of a deleted user, then deletes their follows in batches for about a second. The caller repeats while `has_more`.

use dal::follows::{bury, sweep};
use idl::relation::{ForgetFollowsRequest, ForgetFollowsResponse};
use rpc_server::Sweeping;
use volo_thrift::ServerError;

use crate::{RelationService, fault};

impl RelationService {
    pub(crate) async fn forget(
        &self,
        request: ForgetFollowsRequest,
    ) -> Result<ForgetFollowsResponse, ServerError> {
        let user_id = request.user_id;
        bury(&self.db, user_id).await.map_err(fault)?;
        let batch = |limit| sweep(&self.db, &self.counters, user_id, limit);
        let has_more = Sweeping::begin().run(batch).await.map_err(fault)?;
        Ok(ForgetFollowsResponse { has_more })
    }
}
