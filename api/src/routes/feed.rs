//! `GET /douyin/feed/`: the newest videos, page by page.

use std::sync::Arc;

use idl::video::{FeedRequest, FeedResponse};

use crate::{
    app::App,
    call::{Call, Lenient},
    error::ApiError,
    flights::{self, ANONYMOUS, Viewers},
    objects::{self, FeedPage, Video},
    page::{self, IncludedCounts},
    params::{parameters, types::LatestTime},
    rendered::SharedPage,
    route::{Example, Route},
    shared::Shared,
    users::ViewerConsistency,
};

parameters! {
    /// Which page.
    pub struct Feed {
        /// Only videos older than this: the `next_time` of the page before. Milliseconds, or (up to 1e11) seconds, which mean the end of
        /// that second; absent, empty or 0: the newest.
        pub latest_time: LatestTime,
    }
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

async fn feed(app: Arc<App>, call: Call<Lenient, Feed>) -> Result<Shared<FeedPage>, ApiError> {
    let Lenient(holder) = call.user;
    let viewer = holder.map_or(ANONYMOUS, |holder| holder.user_id);
    let before_ms = call.params.latest_time.before_ms;
    let reader = app.clone();
    let read = async move |viewers: Viewers| {
        let name = format!("feed {before_ms:?}");
        // What the viewers have just published; everybody else may be a moment behind.
        let read = |viewers| feed_page(&reader, before_ms, viewers);
        SharedPage::render(reader.read_shared_page(&name, &[], viewers, read).await)
    };
    let page = flights::join(&app.flights.feed, before_ms, [viewer].into(), read).await?;
    Shared::shown_to(viewer, &page, &app).await
}

async fn feed_page(
    app: &App,
    before_ms: Option<i64>,
    viewers: ViewerConsistency,
) -> Result<FeedPage, ApiError> {
    let request = FeedRequest {
        before_ms,
        limit: app.settings.page.feed,
    };
    let FeedResponse {
        videos,
        now_ms,
        author_counts,
        ..
    } = app.video.feed(request).await?;
    let next_time = match videos.last() {
        Some(oldest) => oldest.published_ms,
        None => now_ms.unwrap_or_else(surely_later),
    };
    let counts = IncludedCounts::new(author_counts);
    let video_list = page::videos(app, videos, counts, &viewers).await?;
    Ok(FeedPage {
        video_list,
        next_time,
    })
}

/// How far the clocks of two of our machines may be apart.
const MAX_SKEW_MS: i64 = 300_000;

/// A time after every publish so far, however far this clock is behind the one that stamps them.
pub fn surely_later() -> i64 {
    chrono::Utc::now().timestamp_millis() + MAX_SKEW_MS
}
