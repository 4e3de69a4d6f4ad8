//! `GET /douyin/feed/following/`: the newest videos of those whom a user follows, page by page.

use std::sync::Arc;

use auth::TokenSubject;
use idl::{
    relation::FollowedIdsRequest,
    video::{FeedResponse, FollowingFeedRequest},
};
use marks::Subject;

use super::feed::{Feed, surely_later};
use crate::{
    app::App,
    call::Call,
    error::ApiError,
    flags::HasFlags as _,
    objects::FeedPage,
    page::{self, IncludedCounts},
    route::Route,
};

/// The latest follows of a user whose videos are on it: as many as the interfaces let through.
const MAX_FOLLOWED: i32 = 5000;

/// The declaration of this route.
pub fn route() -> Route {
    Route::get("/douyin/feed/following/", following).described(
        "The newest videos of those whom one follows",
        "As the feed, of the 5,000 whom the user began to follow last. An addition of ours.",
    )
}

async fn following(app: Arc<App>, call: Call<TokenSubject, Feed>) -> Result<FeedPage, ApiError> {
    let viewer = call.user.user_id;
    let before_ms = call.params.latest_time.before_ms;
    let subjects = [Subject::User(viewer)];
    let page = following_page(&app, viewer, before_ms);
    let page = app.reading(Some(viewer), &subjects, page);
    app.only_for(&call.user, page).await
}

async fn following_page(
    app: &App,
    viewer: i64,
    before_ms: Option<i64>,
) -> Result<FeedPage, ApiError> {
    let request = FollowedIdsRequest {
        user_id: viewer,
        limit: MAX_FOLLOWED,
    };
    let author_ids = app.relation.followed_ids(request).await?.user_ids;
    let request = FollowingFeedRequest {
        author_ids,
        before_ms,
        limit: app.settings.page.feed,
    };
    let FeedResponse {
        videos,
        now_ms,
        author_counts,
        ..
    } = app.video.following_feed(request).await?;
    let next_time = match videos.last() {
        Some(oldest) => oldest.published_ms,
        None => now_ms.unwrap_or_else(surely_later),
    };
    let video_ids = videos.iter().map(|video| video.id).collect();
    let authors = videos.iter().map(|video| video.author_id).collect();
    let consistency = service::reader().consistency;
    let flags = page::flags(app, viewer, consistency, video_ids, authors);
    let counts = IncludedCounts::new(author_counts);
    let viewers = page::shown_to(Some(viewer));
    let page = page::videos(app, videos, counts, &viewers);
    let (page, flags) = futures::future::join(page, flags).await;
    let mut video_list = page?;
    video_list.set_flags(&flags);
    Ok(FeedPage {
        video_list,
        next_time,
    })
}
