//! The latest message between a user and each of many others, for the list of friends.

use idl::message::{LatestMessagesRequest, LatestMessagesResponse};
use volo_thrift::ServerError;

use crate::{MessageService, to_api, to_server_error};

impl MessageService {
    pub(crate) async fn latest(
        &self,
        request: LatestMessagesRequest,
    ) -> Result<LatestMessagesResponse, ServerError> {
        let LatestMessagesRequest { user_id, peer_ids } = request;
        let reader = service::reader();
        let messages = dal::messages::latest(&self.db, user_id, &peer_ids, &reader)
            .await
            .map_err(to_server_error)?;
        Ok(LatestMessagesResponse {
            messages: messages.into_iter().map(to_api).collect(),
        })
    }
}
