//! `GET /douyin/publish/list/`: what a user published, newest first.

use std::sync::Arc;

use auth::TokenSubject;
use idl::{base::Code, video::ListByAuthorRequest};
use marks::Subject;

use crate::{
    app::App,
    call::{Call, list_owner},
    error::ApiError,
    flights::{self, ANONYMOUS, Viewers},
    objects::{Video, VideoPage},
    page::{self, IncludedCounts},
    params::{
        parameters,
        types::{Before, UserId},
    },
    rendered::SharedPage,
    route::{Example, Route},
    shared::Shared,
    users::ViewerConsistency,
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
        .described(
            "What a user published",
            "Newest first. Its author also sees the videos that are not ready: those that are processed, and those that have failed.",
        )
        .refuses(&[Code::NOT_LOGGED_IN, Code::NO_SUCH_USER])
}

async fn publish_list(
    app: Arc<App>,
    call: Call<Option<TokenSubject>, VideoList>,
) -> Result<Shared<VideoPage>, ApiError> {
    let viewer = call.user.map(|holder| holder.user_id);
    let author_id = list_owner(call.params.user_id, viewer)?;
    let is_own = viewer == Some(author_id);
    let viewer = viewer.unwrap_or(ANONYMOUS);
    let before = call.params.before.map(|Before(cursor)| cursor);
    let reader = app.clone();
    let read = async move |viewers: Viewers| {
        // All pages of a list are of one replica.
        let name = format!("works {author_id}");
        let subjects = [Subject::User(author_id)];
        let read = |viewers| works(&reader, author_id, before, is_own, viewers);
        SharedPage::render(
            reader
                .read_shared_page(&name, &subjects, viewers, read)
                .await,
        )
    };
    let (key, viewers) = ((author_id, before, is_own), [viewer].into());
    let page = flights::join(&app.flights.works, key, viewers, read);
    let page = match call.user.filter(|_| is_own) {
        // The author is shown what isn't ready, too.
        Some(author) => app.only_for(&author, page).await?,
        None => page.await?,
    };
    Shared::shown_to(viewer, &page, &app).await
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
    author_id: i64,
    before: Option<i64>,
    is_own: bool,
    viewers: ViewerConsistency,
) -> Result<VideoPage, ApiError> {
    let request = ListByAuthorRequest {
        author_id,
        before,
        limit: app.settings.page.list,
        is_own: Some(is_own),
    };
    let list = app.video.list_by_author(request).await?;
    if list.videos.is_empty() && !page::user_exists(app, author_id).await? {
        return Err(ApiError::new(Code::NO_SUCH_USER));
    }
    let counts = IncludedCounts::new(list.author_counts);
    let video_list = page::videos(app, list.videos, counts, &viewers).await?;
    Ok(VideoPage {
        video_list,
        has_more: list.has_more,
        next_before: list.next_before.unwrap_or(0),
    })
}
