//! Who follow each other: a user's friends.

use idl::relation::{Friend, ListFriendsRequest, ListFriendsResponse};
use volo_thrift::ServerError;

use crate::{RelationService, to_server_error};

impl RelationService {
    pub(crate) async fn friends_of(
        &self,
        request: ListFriendsRequest,
    ) -> Result<ListFriendsResponse, ServerError> {
        let limit = u64::from(request.limit.unsigned_abs());
        let reader = service::reader();
        let friends = dal::follows::list_friends(&self.db, request.user_id, limit, &reader)
            .await
            .map_err(to_server_error)?;
        let friends = friends.into_iter().map(|friend| Friend {
            user_id: friend.user_id,
            cursor: friend.cursor,
        });
        Ok(ListFriendsResponse {
            friends: friends.collect(),
        })
    }
}
