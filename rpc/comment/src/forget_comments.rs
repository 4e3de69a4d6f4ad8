//! Sets the tombstone of a deleted video or user, then deletes its comments in batches for about a second. The caller repeats while
//! `has_more`.

use dal::comments::{set_tombstone, sweep};
use idl::comment::{ForgetCommentsRequest, ForgetCommentsResponse};
use rpc_server::{Sweep, deletable};
use volo_thrift::ServerError;

use crate::{CommentService, to_server_error};

impl CommentService {
    pub(crate) async fn forget(
        &self,
        request: ForgetCommentsRequest,
    ) -> Result<ForgetCommentsResponse, ServerError> {
        let deleted = deletable(request.kind, request.id)?;
        set_tombstone(&self.db, deleted)
            .await
            .map_err(to_server_error)?;
        let batch = |limit| sweep(&self.db, &self.counters, deleted, limit);
        let has_more = Sweep::begin().run(batch).await.map_err(to_server_error)?;
        Ok(ForgetCommentsResponse { has_more })
    }
}
