//! The ids of all users whom a user follows, for the following feed.

use idl::relation::{FollowedIdsRequest, FollowedIdsResponse};
use volo_thrift::ServerError;

use crate::{RelationService, to_server_error};

impl RelationService {
    pub(crate) async fn all_followed(
        &self,
        request: FollowedIdsRequest,
    ) -> Result<FollowedIdsResponse, ServerError> {
        let limit = u64::from(request.limit.unsigned_abs());
        let reader = service::reader();
        let user_ids = dal::follows::followed_ids(&self.db, request.user_id, limit, &reader)
            .await
            .map_err(to_server_error)?;
        Ok(FollowedIdsResponse { user_ids })
    }
}
