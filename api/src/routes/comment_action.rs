//! `POST /douyin/comment/action/`: a user comments on a video, or deletes a comment.

use std::sync::Arc;

use auth::TokenSubject;
use idl::{
    base::Code,
    comment::{AddCommentRequest, DeleteCommentRequest},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    call::Call,
    error::ApiError,
    objects::{Comment, User},
    params::{
        Conditional, parameters,
        types::{CommentId, CommentText, IdempotencyKey, Switch, VideoId},
    },
    rate_limit,
    route::{Example, Route},
};

parameters! {
    /// A comment that is to be added, or one that is to be deleted.
    pub struct CommentAction {
        /// Which video.
        pub video_id: VideoId,
        /// 1: add, 2: delete.
        pub action_type: Switch,
        /// Required for `action_type` 1: 1 to 500 characters.
        pub comment_text: Conditional<CommentText>,
        /// Required for `action_type` 2.
        pub comment_id: Conditional<CommentId>,
        /// The same key by the same user gives the first result, for 24 h; with other content it is refused (10013). An addition of ours.
        pub idempotency_key: Conditional<IdempotencyKey>,
    }
}

/// The comment that was added; nothing for one that was deleted.
#[derive(Debug, Serialize, ToSchema)]
pub struct Commented {
    /// The one that was added; absent after a delete.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub comment: Option<Comment>,
}

impl Example for Commented {
    fn example() -> Self {
        Self {
            comment: Some(Comment::example()),
        }
    }
}

/// The declaration of this route.
pub fn route() -> Route {
    Route::post("/douyin/comment/action/", comment_action)
        .described(
            "Comment on a video, or delete a comment",
            "A comment is deleted by who wrote it or who published the video.",
        )
        .refuses(&[Code::NO_SUCH_VIDEO, Code::NO_SUCH_COMMENT, Code::NOT_YOURS])
}

async fn comment_action(
    app: Arc<App>,
    call: Call<TokenSubject, CommentAction>,
) -> Result<Commented, ApiError> {
    let Call { user, params, .. } = call;
    let account = rate_limit::write(&app, &user).await?;
    match params.action_type {
        Switch::On => add(&app, account, params).await,
        Switch::Off => delete(&app, user.user_id, params).await,
    }
}

/// The writer is shown with the comment.
async fn add(
    app: &App,
    writer: idl::user::User,
    params: CommentAction,
) -> Result<Commented, ApiError> {
    let CommentText(content) = params.comment_text.required()?;
    let key = params.idempotency_key.optional()?;
    let request = AddCommentRequest {
        user_id: writer.id,
        video_id: params.video_id.0,
        content: content.into(),
        idempotency_key: key.map(|IdempotencyKey(key)| key.into()),
    };
    let added = app.comment.add_comment(request).await?;
    let writer = User::new(writer, added.user_counts.as_ref());
    Ok(Commented {
        comment: Some(Comment::new(added.comment, writer, app.utc_offset)),
    })
}

async fn delete(app: &App, user_id: i64, params: CommentAction) -> Result<Commented, ApiError> {
    let request = DeleteCommentRequest {
        user_id,
        video_id: params.video_id.0,
        comment_id: params.comment_id.required()?.0,
    };
    app.comment.delete_comment(request).await?;
    Ok(Commented { comment: None })
}
