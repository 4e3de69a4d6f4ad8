//! `GET /douyin/message/chat/`: the messages between the one who asks and another, oldest first.

use std::sync::Arc;

use auth::TokenSubject;
use idl::{base::Code, message::ListMessagesRequest};
use marks::Subject;

use crate::{
    app::App,
    call::{Call, somebody_else},
    chat::{Message, MessagePage},
    error::ApiError,
    page,
    params::{
        parameters,
        types::{AfterTime, Before, UserId},
    },
    route::{Example, Route},
};

parameters! {
    /// With whom, and from where on.
    pub struct Chat {
        /// With whom; not oneself.
        pub to_user_id: UserId,
        /// Only messages later than this, the oldest 300 of them: the newest `create_time` that the client has. Absent: the newest 300.
        pub pre_msg_time: Option<AfterTime>,
        /// Only messages before this: the last page's `next_before`. An addition of ours.
        pub before: Option<Before>,
    }
}

impl Example for MessagePage {
    fn example() -> Self {
        Self {
            message_list: vec![Message::example()],
            has_more: false,
            next_before: 0,
        }
    }
}

/// The declaration of this route.
pub fn route() -> Route {
    Route::get("/douyin/message/chat/", chat)
        .described(
            "The messages with somebody",
            "Oldest first. Who polls with the newest `create_time` seen misses no message and gets none twice.",
        )
        .refuses(&[Code::NO_SUCH_USER])
}

async fn chat(app: Arc<App>, call: Call<TokenSubject, Chat>) -> Result<MessagePage, ApiError> {
    let viewer = call.user.user_id;
    let peer_id = somebody_else(viewer, call.params.to_user_id)?;
    let request = ListMessagesRequest {
        user_id: viewer,
        peer_id,
        after_ms: call.params.pre_msg_time.map(|AfterTime(time)| time),
        before_ms: call.params.before.map(|Before(cursor)| cursor),
        limit: app.settings.page.list,
    };
    app.only_for(&call.user, messages(&app, request)).await
}

async fn messages(app: &App, request: ListMessagesRequest) -> Result<MessagePage, ApiError> {
    let (viewer, peer_id) = (request.user_id, request.peer_id);
    let subjects = [Subject::Messages(viewer)];
    let list = app.message.list_messages(request);
    let list = app.reading(Some(viewer), &subjects, list).await?;
    // Where there are messages, there is a user.
    if list.messages.is_empty() && !page::user_exists(app, peer_id).await? {
        return Err(ApiError::new(Code::NO_SUCH_USER));
    }
    Ok(MessagePage {
        message_list: list.messages.into_iter().map(Message::new).collect(),
        has_more: list.has_more,
        next_before: list.next_before.unwrap_or(0),
    })
}
