//! `POST /douyin/comment/action/`

use std::sync::Arc;

use auth::Holder;
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
    objects::{Comment, User},
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
    let holder = call.holder(&app)?;
    let user_id = holder.user_id;
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
        add(&app, &holder, request).await
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
        app.accounts.must_be_there(&app, &holder).await?;
        app.comment.delete_comment(request).await?;
        Ok(Commented { comment: None })
    }
}

/// The writer is shown with the comment, and must be there before it is.
async fn add(
    app: &App,
    holder: &Holder,
    request: AddCommentRequest,
) -> Result<Commented, ApiError> {
    let writer = page::users(app, vec![holder.user_id])
        .await?
        .remove(&holder.user_id);
    let created_ms = writer.as_ref().map(User::created_ms);
    app.accounts.judge(holder, created_ms)?;
    let Some(writer) = writer else {
        return Err(ApiError::new(Code::BAD_TOKEN));
    };
    let added = app.comment.add_comment(request).await.map_err(|error| {
        ApiError::from(error)
            .renamed("content", "comment_text")
            .renamed("idempotency_key", IDEMPOTENCY_KEY)
    })?;
    Ok(Commented {
        comment: Some(Comment::new(added.comment, writer, app.utc_offset)),
    })
}
