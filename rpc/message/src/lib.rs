//! The message service: messages between two users, which only the two see.
//!
//! One use case a file. A message is a row; its time, which makes polling exact, is stamped in `dal`.

mod latest_messages;
mod list_messages;
mod send_message;

use dal::{Db, counters::Counters, messages::Messages};
use idl::{message as api, user::UserServiceClient};
use rpc_server::{Users, time_left, to_server_error};
use volo_thrift::ServerError;

/// Handles the calls of `message.thrift`.
pub struct MessageService {
    db: Db,
    messages: Messages,
    users: Users,
}

impl MessageService {
    /// A service over this database; `user` tells who exists. Every commit appends to the ledger of `counters`.
    pub fn new(db: Db, counters: Counters, user: UserServiceClient) -> Self {
        let messages = Messages::start(db.clone(), counters);
        Self {
            db,
            messages,
            users: Users::new(user),
        }
    }
}

impl api::MessageService for MessageService {
    async fn send_message(
        &self,
        request: api::SendMessageRequest,
    ) -> Result<api::SendMessageResponse, ServerError> {
        self.send(request).await
    }

    async fn list_messages(
        &self,
        request: api::ListMessagesRequest,
    ) -> Result<api::ListMessagesResponse, ServerError> {
        self.list(request).await
    }

    async fn latest_messages(
        &self,
        request: api::LatestMessagesRequest,
    ) -> Result<api::LatestMessagesResponse, ServerError> {
        self.latest(request).await
    }
}

fn to_api(message: dal::messages::Message) -> api::Message {
    api::Message {
        id: message.id,
        from_user_id: message.from_id,
        to_user_id: message.to_id,
        content: message.content.into(),
        created_ms: message.created_ms,
    }
}
