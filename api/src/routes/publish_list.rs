//! `GET /douyin/publish/list/`

use std::sync::Arc;

use idl::{base::Code, video::ListByAuthorRequest};
use marks::Subject;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{app::App, call::Call, error::ApiError, objects::Video, page};

/// A page of a list of videos.
#[derive(Debug, Serialize, ToSchema)]
pub struct VideoPage {
    /// In the list's order.
    #[schema(max_items = 300)]
    pub video_list: Vec<Video>,
    /// Whether more follows after the last; an addition of ours.
    pub has_more: bool,
    /// The next page's `before`: a place in the list's order, also when what stood there is gone. 0 when nothing follows.
    #[schema(minimum = 0)]
    pub next_before: i64,
}

/// The works of one user, newest first.
pub async fn publish_list(app: Arc<App>, call: Call) -> Result<VideoPage, ApiError> {
    let viewer = call.viewer(&app)?;
    let author_id = call.list_owner(&app)?;
    let request = ListByAuthorRequest {
        author_id,
        before: call.params.id("before")?,
        limit: app.settings.page.list,
    };
    app.reading(
        viewer,
        &shown_of(author_id, viewer),
        works(&app, request, viewer),
    )
    .await
}

/// What a list of a user's videos shows: theirs, and what the viewer likes of it.
pub fn shown_of(owner: i64, viewer: Option<i64>) -> Vec<Subject> {
    let viewer = viewer.filter(|viewer| *viewer != owner);
    std::iter::once(owner)
        .chain(viewer)
        .map(Subject::User)
        .collect()
}

async fn works(
    app: &App,
    request: ListByAuthorRequest,
    viewer: Option<i64>,
) -> Result<VideoPage, ApiError> {
    let author_id = request.author_id;
    let list = app.video.list_by_author(request).await?;
    if list.videos.is_empty() && page::users(app, vec![author_id]).await?.is_empty() {
        return Err(ApiError::new(Code::NO_SUCH_USER));
    }
    let video_list = page::videos(app, list.videos, viewer).await?;
    Ok(VideoPage {
        video_list,
        has_more: list.has_more,
        next_before: list.next_before.unwrap_or(0),
    })
}
