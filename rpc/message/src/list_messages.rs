//! The messages between two users, oldest first. Whether the other exists is the caller's question.

use dal::Page;
use idl::message::{ListMessagesRequest, ListMessagesResponse};
use volo_thrift::ServerError;

use crate::{MessageService, to_api, to_server_error};

impl MessageService {
    pub(crate) async fn list(
        &self,
        request: ListMessagesRequest,
    ) -> Result<ListMessagesResponse, ServerError> {
        let limit = u64::from(request.limit.unsigned_abs());
        let (users, reader) = ((request.user_id, request.peer_id), service::reader());
        let (messages, has_more, next_before) = match request.after_ms {
            Some(after_ms) => {
                let before_ms = request.before_ms;
                let later =
                    dal::messages::later(&self.db, users, after_ms, before_ms, limit, &reader);
                let (messages, has_more) = later.await.map_err(to_server_error)?;
                (messages, has_more, None)
            }
            None => {
                let newest =
                    dal::messages::newest(&self.db, users, request.before_ms, limit, &reader);
                let Page {
                    entries,
                    next_before,
                } = newest.await.map_err(to_server_error)?;
                (entries, next_before.is_some(), next_before)
            }
        };
        Ok(ListMessagesResponse {
            messages: messages.into_iter().map(to_api).collect(),
            has_more,
            next_before,
        })
    }
}
