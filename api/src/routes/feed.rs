//! `GET /douyin/feed/`

use std::sync::Arc;

use idl::video::{FeedRequest, FeedResponse};
use marks::Subject;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{app::App, call::Call, error::ApiError, objects::Video, page, rules::Rule};

/// A page of the feed.
#[derive(Debug, Serialize, ToSchema)]
pub struct FeedPage {
    /// Newest first.
    #[schema(max_items = 30)]
    pub video_list: Vec<Video>,
    /// The next page's `latest_time`.
    pub next_time: i64,
}

/// The newest videos, or those before `latest_time`.
pub async fn feed(app: Arc<App>, call: Call) -> Result<FeedPage, ApiError> {
    // On the feed a broken token means anonymous.
    let viewer = call.viewer(&app).ok().flatten();
    let before_ms = before_ms(call.params.whole("latest_time")?)?;
    // What the viewer has just published and liked; everybody else may be a moment behind.
    let shown: Vec<Subject> = viewer.map(Subject::User).into_iter().collect();
    let page = feed_page(&app, viewer, before_ms);
    app.reading(viewer, &shown, page).await
}

async fn feed_page(
    app: &App,
    viewer: Option<i64>,
    before_ms: Option<i64>,
) -> Result<FeedPage, ApiError> {
    let request = FeedRequest {
        before_ms,
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

/// Above this, `latest_time` is in milliseconds: as seconds it would lie beyond the year 5000.
const MAX_SECONDS: i64 = 100_000_000_000;

/// The bound that `latest_time` stands for: exclusive, in ms. Seconds mean the end of that second.
fn before_ms(latest_time: Option<i64>) -> Result<Option<i64>, ApiError> {
    match latest_time {
        None | Some(0) => Ok(None),
        Some(time) if time < 0 => Err(ApiError::bad_parameter("latest_time", Rule::Negative)),
        Some(seconds) if seconds <= MAX_SECONDS => Ok(Some((seconds + 1) * 1000)),
        Some(ms) => Ok(Some(ms)),
    }
}

/// How far the clocks of two of our machines may be apart.
const MAX_SKEW_MS: i64 = 300_000;

/// After every publish so far, however far this clock is behind the one that stamps them.
fn surely_later() -> i64 {
    chrono::Utc::now().timestamp_millis() + MAX_SKEW_MS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latest_time_is_seconds_or_milliseconds() {
        assert_eq!(before_ms(None).unwrap(), None);
        assert_eq!(before_ms(Some(0)).unwrap(), None);
        assert_eq!(before_ms(Some(1)).unwrap(), Some(2_000));
        assert_eq!(
            before_ms(Some(1_700_000_000)).unwrap(),
            Some(1_700_000_001_000)
        );
        assert_eq!(
            before_ms(Some(1_700_000_000_123)).unwrap(),
            Some(1_700_000_000_123)
        );
        assert_eq!(before_ms(Some(i64::MAX)).unwrap(), Some(i64::MAX));
        assert!(before_ms(Some(-1)).is_err());
    }
}
