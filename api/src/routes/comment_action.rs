//! `POST /douyin/comment/action/`

use std::sync::Arc;

use idl::{
    base::Code,
    comment::{AddCommentRequest, DeleteCommentRequest},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    call::{Call, IDEMPOTENCY_KEY},
    error::ApiError,
    limit,
    objects::Comment,
    page,
};

/// The comment that was added; nothing for one that was deleted.
#[derive(Debug, Serialize, ToSchema)]
pub struct Commented {
    /// The one that was added; absent after a delete.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub comment: Option<Comment>,
}

/// Adds a comment, or deletes one.
pub async fn comment_action(app: Arc<App>, call: Call) -> Result<Commented, ApiError> {
    let user_id = call.user(&app)?;
    let video_id = call
        .params
        .id("video_id")?
        .ok_or_else(|| ApiError::missing("video_id"))?;
    let adds = call.params.first_of_two("action_type")?;
    limit::write(&app, user_id)?;
    if adds {
        let request = AddCommentRequest {
            user_id,
            video_id,
            content: call.params.text("comment_text")?.to_owned().into(),
            idempotency_key: call.idempotency_key()?.map(|key| key.to_owned().into()),
        };
        add(&app, request).await
    } else {
        let comment_id = call
            .params
            .id("comment_id")?
            .ok_or_else(|| ApiError::missing("comment_id"))?;
        let request = DeleteCommentRequest {
            user_id,
            video_id,
            comment_id,
        };
        app.comment.delete_comment(request).await?;
        Ok(Commented { comment: None })
    }
}

async fn add(app: &App, request: AddCommentRequest) -> Result<Commented, ApiError> {
    let added = app.comment.add_comment(request).await.map_err(|error| {
        ApiError::from(error)
            .renamed("content", "comment_text")
            .renamed("idempotency_key", IDEMPOTENCY_KEY)
    })?;
    let comment = page::comments(app, vec![added.comment]).await?.pop();
    match comment {
        Some(comment) => Ok(Commented {
            comment: Some(comment),
        }),
        None => Err(ApiError::new(Code::INTERNAL)),
    }
}
