//! `GET /douyin/comment/list/`: the comments under a video, newest first.

use std::sync::Arc;

use auth::Holder;
use idl::{base::Code, comment::ListCommentsRequest, video::MGetAuthorsRequest};
use marks::Subject;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    call::Call,
    error::ApiError,
    objects::Comment,
    page,
    params::{
        parameters,
        types::{Before, VideoId},
    },
    route::{Example, Route},
};

parameters! {
    /// Which comments.
    pub struct CommentList {
        /// Which video.
        pub video_id: VideoId,
        /// Goes on from here: the last page's `next_before`. An addition of ours.
        pub before: Option<Before>,
    }
}

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

impl Example for CommentPage {
    fn example() -> Self {
        Self {
            comment_list: vec![Comment::example()],
            has_more: false,
            next_before: 0,
        }
    }
}

/// The declaration of this route.
pub fn route() -> Route {
    Route::get("/douyin/comment/list/", comment_list)
        .described("The comments under a video", "Newest first.")
        .refuses(&[Code::NO_SUCH_VIDEO])
}

async fn comment_list(
    app: Arc<App>,
    call: Call<Option<Holder>, CommentList>,
) -> Result<CommentPage, ApiError> {
    let video_id = call.params.video_id.0;
    let request = ListCommentsRequest {
        video_id,
        before: call.params.before.map(|Before(place)| place),
        limit: app.settings.page.list,
    };
    let viewer = call.user.map(|holder| holder.user_id);
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
