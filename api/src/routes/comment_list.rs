//! `GET /douyin/comment/list/`

use std::sync::Arc;

use idl::{base::Code, comment::ListCommentsRequest, video::MGetAuthorsRequest};
use marks::Subject;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{app::App, call::Call, error::ApiError, objects::Comment, page};

/// A page of the comments under a video.
#[derive(Debug, Serialize, ToSchema)]
pub struct CommentPage {
    /// Newest first.
    #[schema(max_items = 300)]
    pub comment_list: Vec<Comment>,
    /// Whether more follows after the last; an addition of ours.
    pub has_more: bool,
    /// The next page's `before`: a place in the list's order, also when what stood there is gone. 0 when nothing follows.
    #[schema(minimum = 0)]
    pub next_before: i64,
}

/// The comments under a video, newest first.
pub async fn comment_list(app: Arc<App>, call: Call) -> Result<CommentPage, ApiError> {
    let viewer = call.viewer(&app)?;
    let video_id = call
        .params
        .id("video_id")?
        .ok_or_else(|| ApiError::missing("video_id"))?;
    let request = ListCommentsRequest {
        video_id,
        before: call.params.id("before")?,
        limit: app.settings.page.list,
    };
    app.reading(viewer, &[Subject::Video(video_id)], comments(&app, request))
        .await
}

async fn comments(app: &App, request: ListCommentsRequest) -> Result<CommentPage, ApiError> {
    let video = app.video.mget_authors(MGetAuthorsRequest {
        video_ids: vec![request.video_id],
    });
    let (list, video) = futures::future::join(app.comment.list_comments(request), video).await;
    if video?.author_ids.is_empty() {
        return Err(ApiError::new(Code::NO_SUCH_VIDEO));
    }
    let list = list?;
    Ok(CommentPage {
        comment_list: page::comments(app, list.comments).await?,
        has_more: list.has_more,
        next_before: list.next_before.unwrap_or(0),
    })
}
