//! Follow and unfollow. Both are idempotent: only a row that changed is counted.

use dal::{DalError, follows::FollowOp};
use idl::{
    base::Code,
    biz,
    relation::{SetFollowRequest, SetFollowResponse},
};
use volo_thrift::ServerError;

use crate::{RelationService, time_left, to_server_error};

impl RelationService {
    pub(crate) async fn follow_or_unfollow(
        &self,
        request: SetFollowRequest,
    ) -> Result<SetFollowResponse, ServerError> {
        let deadline = service::deadline();
        let SetFollowRequest {
            user_id,
            followed_id,
            followed,
        } = request;
        if user_id == followed_id {
            return Err(biz(Code::BAD_PARAMETER, "nobody follows themself").into());
        }
        self.users.must_exist(followed_id).await?;
        let op = FollowOp {
            user_id,
            followed_id,
            followed,
        };
        // What was given up isn't carried out later: the user may have done the opposite elsewhere meanwhile.
        let set = self.follows.set_within(op, time_left(deadline));
        let changed = set.await.map_err(|error| match error {
            // Deleted since they were found.
            DalError::NotFound => biz(Code::NO_SUCH_USER, "").into(),
            error => to_server_error(error),
        })?;
        Ok(SetFollowResponse { changed })
    }
}
