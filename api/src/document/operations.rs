//! What each route is for, reads, answers and refuses: the table that the document is made of.

use idl::base::Code;
use utoipa::openapi::{HttpMethod, HttpMethod::Get, HttpMethod::Post};

use super::{
    examples,
    parameters::{
        ADD_OR_DELETE, BEFORE, COMMENT_ID, COMMENT_TEXT, DATA, LATEST_TIME, LIKE_OR_NOT, NAME,
        NEW_NAME, NEW_PASSWORD, PASSWORD, Parameter, TITLE, USER_ID, VIDEO_ID,
    },
    replies::Content,
};
use crate::{
    reply::Nothing,
    routes::{
        comment_action::Commented, comment_list::CommentPage, feed::FeedPage,
        publish_list::VideoPage, register::Session, user::Profile,
    },
};

/// Whether a route asks who asks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Token {
    /// Never.
    Unread,
    /// It may be missing.
    Optional,
    /// It may not.
    Required,
}

/// One route.
pub struct Operation {
    /// As the contract writes it, with its trailing slash.
    pub path: &'static str,
    /// GET stands for HEAD too.
    pub method: HttpMethod,
    /// What groups it with others.
    pub tag: &'static str,
    /// In a few words.
    pub summary: &'static str,
    /// What else is to know.
    pub about: &'static str,
    /// Who asks.
    pub token: Token,
    /// What it asks.
    pub parameters: &'static [Parameter],
    /// Whether `Idempotency-Key` is read.
    pub idempotency_key: bool,
    /// The content of a success.
    pub content: Content,
    /// Whether failures carry an empty session.
    pub empty_session: bool,
    /// The outcomes at HTTP 200 besides success.
    pub refusals: &'static [Code],
}

impl Operation {
    fn new(
        method: HttpMethod,
        path: &'static str,
        summary: &'static str,
        about: &'static str,
        content: Content,
    ) -> Self {
        Self {
            path,
            method,
            tag: path.split('/').nth(2).unwrap_or_default(),
            summary,
            about,
            token: Token::Unread,
            parameters: &[],
            idempotency_key: false,
            content,
            empty_session: false,
            refusals: &[],
        }
    }

    fn asks(self, token: Token, parameters: &'static [Parameter]) -> Self {
        Self {
            token,
            parameters,
            ..self
        }
    }

    fn refuses(self, refusals: &'static [Code]) -> Self {
        Self { refusals, ..self }
    }

    fn with_idempotency_key(self) -> Self {
        Self {
            idempotency_key: true,
            ..self
        }
    }

    fn with_empty_session(self) -> Self {
        Self {
            empty_session: true,
            ..self
        }
    }

    /// Whether it takes a file.
    pub fn is_upload(&self) -> bool {
        self.parameters.iter().any(|one| one.name == DATA.name)
    }
}

/// Every route of the contract.
pub fn operations() -> Vec<Operation> {
    let page = || {
        Content::of(VideoPage {
            video_list: vec![examples::video()],
            has_more: false,
            next_before: 0,
        })
    };
    vec![
        Operation::new(
            Get,
            "/douyin/feed/",
            "The newest videos",
            "At most 30, newest first. `next_time` as the next `latest_time` gives the following page; at the end the list is empty and `next_time` is now, so that a client starts over. A broken token counts as none.",
            Content::of(FeedPage {
                video_list: vec![examples::video()],
                next_time: examples::PUBLISHED_MS,
            }),
        )
        .asks(Token::Optional, &[LATEST_TIME])
        .refuses(&[Code::BAD_PARAMETER]),
        Operation::new(
            Post,
            "/douyin/user/register/",
            "Make an account",
            "It is logged in at once.",
            Content::of(examples::session()),
        )
        .asks(Token::Unread, &[NEW_NAME, NEW_PASSWORD])
        .with_empty_session()
        .refuses(&[Code::BAD_PARAMETER, Code::NAME_TAKEN]),
        Operation::new(
            Post,
            "/douyin/user/login/",
            "Log in",
            "A missing name or password is 10001, any other wrong one 10004, without saying which. A token lives 7 days (settings).",
            Content::of(examples::session()),
        )
        .asks(Token::Unread, &[NAME, PASSWORD])
        .with_empty_session()
        .refuses(&[Code::BAD_PARAMETER, Code::WRONG_NAME_OR_PASSWORD]),
        Operation::new(
            Get,
            "/douyin/user/",
            "A user",
            "With the exact counts.",
            Content::of(Profile {
                user: examples::user(),
            }),
        )
        .asks(Token::Required, &[USER_ID])
        .refuses(&[
            Code::BAD_PARAMETER,
            Code::NOT_LOGGED_IN,
            Code::BAD_TOKEN,
            Code::NO_SUCH_USER,
        ]),
        Operation::new(
            Post,
            "/douyin/publish/action/",
            "Publish a video",
            "The parts in any order; token and title may also come in the query. Only a whole video that ffprobe accepts is published.",
            Content::of(Nothing {}),
        )
        .asks(Token::Required, &[TITLE, DATA])
        .with_idempotency_key()
        .refuses(&[
            Code::BAD_PARAMETER,
            Code::NOT_LOGGED_IN,
            Code::BAD_TOKEN,
            Code::NOT_A_VIDEO,
            Code::IDEMPOTENCY_KEY_REUSED,
        ]),
        Operation::new(
            Get,
            "/douyin/publish/list/",
            "What a user published",
            "Newest first.",
            page(),
        )
        .asks(Token::Optional, &[USER_ID, BEFORE])
        .refuses(&[
            Code::BAD_PARAMETER,
            Code::NOT_LOGGED_IN,
            Code::BAD_TOKEN,
            Code::NO_SUCH_USER,
        ]),
        Operation::new(
            Post,
            "/douyin/favorite/action/",
            "Like a video, or take the like back",
            "Idempotent: a second like changes nothing and is a success.",
            Content::of(Nothing {}),
        )
        .asks(Token::Required, &[VIDEO_ID, LIKE_OR_NOT])
        .refuses(&[
            Code::BAD_PARAMETER,
            Code::NOT_LOGGED_IN,
            Code::BAD_TOKEN,
            Code::NO_SUCH_VIDEO,
        ]),
        Operation::new(
            Get,
            "/douyin/favorite/list/",
            "What a user likes",
            "Latest like first.",
            page(),
        )
        .asks(Token::Optional, &[USER_ID, BEFORE])
        .refuses(&[
            Code::BAD_PARAMETER,
            Code::NOT_LOGGED_IN,
            Code::BAD_TOKEN,
            Code::NO_SUCH_USER,
        ]),
        Operation::new(
            Post,
            "/douyin/comment/action/",
            "Comment on a video, or delete a comment",
            "A comment is deleted by who wrote it or who published the video.",
            Content::of(Commented {
                comment: Some(examples::comment()),
            }),
        )
        .asks(
            Token::Required,
            &[VIDEO_ID, ADD_OR_DELETE, COMMENT_TEXT, COMMENT_ID],
        )
        .with_idempotency_key()
        .refuses(&[
            Code::BAD_PARAMETER,
            Code::NOT_LOGGED_IN,
            Code::BAD_TOKEN,
            Code::NO_SUCH_VIDEO,
            Code::NO_SUCH_COMMENT,
            Code::NOT_YOURS,
            Code::IDEMPOTENCY_KEY_REUSED,
        ]),
        Operation::new(
            Get,
            "/douyin/comment/list/",
            "The comments under a video",
            "Newest first.",
            Content::of(CommentPage {
                comment_list: vec![examples::comment()],
                has_more: false,
                next_before: 0,
            }),
        )
        .asks(Token::Optional, &[VIDEO_ID, BEFORE])
        .refuses(&[
            Code::BAD_PARAMETER,
            Code::BAD_TOKEN,
            Code::NO_SUCH_VIDEO,
        ]),
    ]
}

impl Operation {
    /// What a failure has besides its status.
    pub fn on_failure(&self) -> serde_json::Value {
        if self.empty_session {
            serde_json::to_value(Session::default()).unwrap_or_default()
        } else {
            serde_json::json!({})
        }
    }
}
