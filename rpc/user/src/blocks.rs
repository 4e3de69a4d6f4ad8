//! Blocks and unblocks users, and lists whom a user has blocked.

use dal::{Page, blocks};
use idl::{
    base::Code,
    biz,
    user::{ListBlocksRequest, ListBlocksResponse, SetBlockRequest, SetBlockResponse},
};
use rpc_server::to_server_error;
use volo_thrift::ServerError;

use crate::UserService;

impl UserService {
    pub(crate) async fn block_or_unblock(
        &self,
        request: SetBlockRequest,
    ) -> Result<SetBlockResponse, ServerError> {
        let SetBlockRequest {
            user_id,
            blocked_id,
            blocked,
        } = request;
        let no_such_user = || ServerError::from(biz(Code::NO_SUCH_USER, ""));
        if blocked && !self.exists(blocked_id).await? {
            return Err(no_such_user());
        }
        let set = blocks::set(&self.db, &self.counters, user_id, blocked_id, blocked).await;
        let changed = set.map_err(to_server_error)?;
        // An account that is gone may be unblocked.
        if !blocked && !changed && !self.exists(blocked_id).await? {
            return Err(no_such_user());
        }
        Ok(SetBlockResponse { changed })
    }

    async fn exists(&self, user_id: i64) -> Result<bool, ServerError> {
        let found = dal::users::mget(&self.db, &[user_id], &dal::Reader::STRICT).await;
        Ok(!found.map_err(to_server_error)?.is_empty())
    }

    pub(crate) async fn blocked_users(
        &self,
        request: ListBlocksRequest,
    ) -> Result<ListBlocksResponse, ServerError> {
        let limit = u64::from(request.limit.unsigned_abs());
        let reader = service::reader();
        let page = blocks::list(&self.db, request.user_id, request.before, limit, &reader);
        let Page {
            entries,
            next_before,
        } = page.await.map_err(to_server_error)?;
        Ok(ListBlocksResponse {
            user_ids: entries,
            has_more: next_before.is_some(),
            next_before,
        })
    }
}
