//! Sets the tombstone of a deleted video or user, then deletes its comments in batches for about a second. The caller repeats while
//! `has_more`.

use dal::comments::{bury, sweep};
use idl::comment::{ForgetCommentsRequest, ForgetCommentsResponse};
use rpc_server::{Sweeping, deletable};
use volo_thrift::ServerError;

use crate::{CommentService, fault};

impl CommentService {
    pub(crate) async fn forget(
        &self,
        request: ForgetCommentsRequest,
    ) -> Result<ForgetCommentsResponse, ServerError> {
        let deleted = deletable(request.kind, request.id)?;
        bury(&self.db, deleted).await.map_err(fault)?;
        let batch = |limit| sweep(&self.db, &self.counters, deleted, limit);
        let has_more = Sweeping::begin().run(batch).await.map_err(fault)?;
        Ok(ForgetCommentsResponse { has_more })
    }
}
