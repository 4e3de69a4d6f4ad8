//! `GET /douyin/feed/`: the newest videos, page by page.

use std::sync::Arc;

use idl::video::{FeedRequest, FeedResponse};
use marks::Subject;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    call::{Call, Lenient},
    error::ApiError,
    objects::{self, Video},
    page,
    params::{parameters, types::LatestTime},
    route::{Example, Route},
};

parameters! {
    /// Which page.
    pub struct Feed {
        /// Only videos older than this: the `next_time` of the page before. Milliseconds, or (up to 1e11) seconds, which mean the end of
        /// that second; absent, empty or 0: the newest.
        pub latest_time: LatestTime,
    }
}

/// A page of the feed.
#[derive(Debug, Serialize, ToSchema)]
pub struct FeedPage {
    /// Newest first.
    #[schema(max_items = 30)]
    pub video_list: Vec<Video>,
    /// The next page's `latest_time`.
    pub next_time: i64,
}

impl Example for FeedPage {
    fn example() -> Self {
        Self {
            video_list: vec![Video::example()],
            next_time: objects::EXAMPLE_TIME_MS,
        }
    }
}

/// The declaration of this route.
pub fn route() -> Route {
    Route::get("/douyin/feed/", feed).described(
        "The newest videos",
        "At most 30, newest first. `next_time` as the next `latest_time` gives the following page; at the end the list is empty and `next_time` is now, so that a client starts over. A broken token counts as none.",
    )
}

async fn feed(app: Arc<App>, call: Call<Lenient, Feed>) -> Result<FeedPage, ApiError> {
    let Lenient(holder) = call.user;
    let viewer = holder.map(|holder| holder.user_id);
    // What the viewer has just published and liked; everybody else may be a moment behind.
    let shown: Vec<Subject> = viewer.map(Subject::User).into_iter().collect();
    let page = feed_page(&app, viewer, call.params.latest_time);
    app.reading(viewer, &shown, page).await
}

async fn feed_page(
    app: &App,
    viewer: Option<i64>,
    latest_time: LatestTime,
) -> Result<FeedPage, ApiError> {
    let request = FeedRequest {
        before_ms: latest_time.before_ms,
        limit: app.settings.page.feed,
    };
    let FeedResponse { videos, now_ms } = app.video.feed(request).await?;
    let next_time = match videos.last() {
        Some(oldest) => oldest.published_ms,
        None => now_ms.unwrap_or_else(surely_later),
    };
    let video_list = page::videos(app, videos, viewer).await?;
    Ok(FeedPage {
        video_list,
        next_time,
    })
}

/// How far the clocks of two of our machines may be apart.
const MAX_SKEW_MS: i64 = 300_000;

/// A time after every publish so far, however far this clock is behind the one that stamps them.
fn surely_later() -> i64 {
    chrono::Utc::now().timestamp_millis() + MAX_SKEW_MS
}
