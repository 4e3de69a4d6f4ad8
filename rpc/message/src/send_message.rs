//! A message to somebody who exists. They needn't be friends.

use dal::{
    DalError,
    idempotency::{Key, Kind},
    messages::NewMessage,
};
use idl::{
    base::Code,
    biz,
    message::{SendMessageRequest, SendMessageResponse},
};
use volo_thrift::ServerError;

use crate::{MessageService, time_left, to_api, to_server_error};

impl MessageService {
    pub(crate) async fn send(
        &self,
        request: SendMessageRequest,
    ) -> Result<SendMessageResponse, ServerError> {
        let deadline = service::deadline();
        if request.user_id == request.to_user_id {
            return Err(biz(Code::BAD_PARAMETER, "nobody writes to themself").into());
        }
        self.users.must_exist(request.to_user_id).await?;
        let key = request.idempotency_key.as_deref().map(|key| {
            let content = [&*request.to_user_id.to_string(), &*request.content];
            Key::new(request.user_id, Kind::Message, key, &content)
        });
        let message = NewMessage {
            from_id: request.user_id,
            to_id: request.to_user_id,
            content: request.content.into(),
            key,
        };
        let sent = self.messages.send_within(message, time_left(deadline));
        Ok(SendMessageResponse {
            message: to_api(sent.await.map_err(map_error)?),
        })
    }
}

fn map_error(error: DalError) -> ServerError {
    match error {
        // Deleted since they were found.
        DalError::NotFound => biz(Code::NO_SUCH_USER, "").into(),
        error => to_server_error(error),
    }
}
