//! `GET /douyin/publish/list/`: what a user published, newest first.

use std::sync::Arc;

use auth::Holder;
use idl::{base::Code, video::ListByAuthorRequest};
use marks::Subject;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    call::{Call, list_owner},
    error::ApiError,
    objects::Video,
    page,
    params::{
        parameters,
        types::{Before, UserId},
    },
    route::{Example, Route},
};

parameters! {
    /// Whose list, and which page of it.
    pub struct VideoList {
        /// Whose; absent: the token's user.
        pub user_id: Option<UserId>,
        /// Goes on from here: the last page's `next_before`. An addition of ours.
        pub before: Option<Before>,
    }
}

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

impl Example for VideoPage {
    fn example() -> Self {
        Self {
            video_list: vec![Video::example()],
            has_more: false,
            next_before: 0,
        }
    }
}

/// The declaration of this route.
pub fn route() -> Route {
    Route::get("/douyin/publish/list/", publish_list)
        .described("What a user published", "Newest first.")
        .refuses(&[Code::NOT_LOGGED_IN, Code::NO_SUCH_USER])
}

async fn publish_list(
    app: Arc<App>,
    call: Call<Option<Holder>, VideoList>,
) -> Result<VideoPage, ApiError> {
    let viewer = call.user.map(|holder| holder.user_id);
    let author_id = list_owner(call.params.user_id, viewer)?;
    let request = ListByAuthorRequest {
        author_id,
        before: call.params.before.map(|Before(place)| place),
        limit: app.settings.page.list,
    };
    let page = works(&app, request, viewer);
    app.reading(viewer, &shown_of(author_id, viewer), page)
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
