//! Which users of a page somebody follows.

use idl::relation::{FollowedAmongRequest, FollowedAmongResponse};
use volo_thrift::ServerError;

use crate::{RelationService, to_server_error};

impl RelationService {
    pub(crate) async fn followed_of_these(
        &self,
        request: FollowedAmongRequest,
    ) -> Result<FollowedAmongResponse, ServerError> {
        let FollowedAmongRequest { user_id, user_ids } = request;
        let reader = service::reader();
        let user_ids = dal::follows::followed_among(&self.db, user_id, &user_ids, &reader)
            .await
            .map_err(to_server_error)?;
        Ok(FollowedAmongResponse { user_ids })
    }
}
