//! `POST /douyin/message/action/`: a user sends a message to another.

use std::sync::Arc;

use auth::TokenSubject;
use idl::{base::Code, message::SendMessageRequest};

use crate::{
    app::App,
    call::{Call, somebody_else},
    error::ApiError,
    params::{
        parameters,
        types::{IdempotencyKey, MessageText, OnlyAction, UserId},
    },
    rate_limit,
    response::Empty,
    route::Route,
};

parameters! {
    /// A message.
    pub struct MessageAction {
        /// To whom; not oneself. They needn't be friends.
        pub to_user_id: UserId,
        /// 1: send.
        pub action_type: OnlyAction,
        /// 1 to 500 characters, without the white space at its edges.
        pub content: MessageText,
        /// The same key by the same user sends one message, for 24 h; with other content it is refused (10013). An addition of ours.
        pub idempotency_key: Option<IdempotencyKey>,
    }
}

/// The declaration of this route.
pub fn route() -> Route {
    Route::post("/douyin/message/action/", message_action)
        .described("Send a message", "Only the two see it.")
        .refuses(&[Code::NO_SUCH_USER, Code::BLOCKED])
}

async fn message_action(
    app: Arc<App>,
    call: Call<TokenSubject, MessageAction>,
) -> Result<Empty, ApiError> {
    let Call { user, params, .. } = call;
    rate_limit::message(&app, &user).await?;
    let to_user_id = somebody_else(user.user_id, params.to_user_id)?;
    let request = SendMessageRequest {
        user_id: user.user_id,
        to_user_id,
        content: params.content.0.into(),
        idempotency_key: params.idempotency_key.map(|IdempotencyKey(key)| key.into()),
    };
    app.message.send_message(request).await?;
    Ok(Empty {})
}
