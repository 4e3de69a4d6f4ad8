//! `GET /douyin/comment/list/`: the comments under a video, newest first.

use std::sync::Arc;

use auth::TokenSubject;
use idl::{base::Code, comment::ListCommentsRequest, video::MGetAuthorsRequest};
use marks::Subject;

use crate::{
    app::App,
    call::Call,
    error::ApiError,
    flights::{self, ANONYMOUS, Viewers},
    objects::{Comment, CommentPage},
    page::{self, IncludedCounts},
    params::{
        parameters,
        types::{Before, VideoId},
    },
    rendered::SharedPage,
    route::{Example, Route},
    shared::Shared,
    users::ViewerConsistency,
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
    call: Call<Option<TokenSubject>, CommentList>,
) -> Result<Shared<CommentPage>, ApiError> {
    let video_id = call.params.video_id.0;
    let before = call.params.before.map(|Before(cursor)| cursor);
    let reader = app.clone();
    let read = async move |viewers: Viewers| {
        // All pages of a list are of one replica.
        let name = format!("comments {video_id}");
        let subjects = [Subject::Video(video_id)];
        let read = |viewers| comments(&reader, video_id, before, viewers);
        SharedPage::render(
            reader
                .read_shared_page(&name, &subjects, viewers, read)
                .await,
        )
    };
    let viewer = call.user.map_or(ANONYMOUS, |holder| holder.user_id);
    let (key, viewers) = ((video_id, before), [viewer].into());
    let page = flights::join(&app.flights.comments, key, viewers, read).await?;
    Shared::shown_to(viewer, &page, &app).await
}

async fn comments(
    app: &App,
    video_id: i64,
    before: Option<i64>,
    viewers: ViewerConsistency,
) -> Result<CommentPage, ApiError> {
    let request = ListCommentsRequest {
        video_id,
        before,
        limit: app.settings.page.list,
    };
    let list = app.comment.list_comments(request).await?;
    if list.comments.is_empty() {
        // Where there are comments, there is a video.
        let video = MGetAuthorsRequest {
            video_ids: vec![video_id],
        };
        if app.video.mget_authors(video).await?.author_ids.is_empty() {
            return Err(ApiError::new(Code::NO_SUCH_VIDEO));
        }
    }
    let counts = IncludedCounts::new(list.user_counts);
    Ok(CommentPage {
        comment_list: page::comments(app, list.comments, counts, &viewers).await?,
        has_more: list.has_more,
        next_before: list.next_before.unwrap_or(0),
    })
}
