//! `GET /douyin/video/`: one video, for a link to it.

use std::sync::Arc;

use auth::TokenSubject;
use idl::{base::Code, video::MGetVideosRequest};
use marks::Subject;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    call::Call,
    error::ApiError,
    objects::Video,
    page,
    params::{parameters, types::VideoId},
    route::{Example, Route},
};

parameters! {
    /// Which video.
    pub struct VideoQuery {
        /// Which video.
        pub video_id: VideoId,
    }
}

/// One video.
#[derive(Debug, Serialize, ToSchema)]
pub struct OneVideo {
    /// With the exact counts.
    pub video: Video,
}

impl Example for OneVideo {
    fn example() -> Self {
        Self {
            video: Video::example(),
        }
    }
}

/// The declaration of this route.
pub fn route() -> Route {
    Route::get("/douyin/video/", video)
        .described("A video", "For a link to it. An addition of ours.")
        .refuses(&[Code::NO_SUCH_VIDEO])
}

async fn video(
    app: Arc<App>,
    call: Call<Option<TokenSubject>, VideoQuery>,
) -> Result<OneVideo, ApiError> {
    let viewer = call.user.map(|holder| holder.user_id);
    let VideoId(video_id) = call.params.video_id;
    let video = video_for_viewer(&app, video_id, viewer).await?;
    // One that isn't ready is for its author alone.
    if let Some(author) = call.user.filter(|_| !video.is_ready()) {
        app.must_not_be_revoked(&author).await?;
    }
    Ok(OneVideo { video })
}

/// The video as this viewer sees it.
///
/// # Errors
/// [`Code::NO_SUCH_VIDEO`]: it isn't there, or isn't ready and somebody else's.
pub async fn video_for_viewer(
    app: &App,
    video_id: i64,
    viewer: Option<i64>,
) -> Result<Video, ApiError> {
    let of_viewer = viewer.map(Subject::User);
    // Whether it was deleted a moment ago is seen by everybody.
    let subjects: Vec<Subject> = [Subject::Video(video_id)]
        .into_iter()
        .chain(of_viewer)
        .collect();
    app.reading(viewer, &subjects, one(app, video_id, viewer))
        .await
}

async fn one(app: &App, video_id: i64, viewer: Option<i64>) -> Result<Video, ApiError> {
    let request = MGetVideosRequest {
        video_ids: vec![video_id],
        viewer_id: viewer,
    };
    let found = app.video.mget_videos(request).await?.videos;
    let video = page::videos_of(app, found, viewer).await?.pop();
    video.ok_or_else(|| ApiError::new(Code::NO_SUCH_VIDEO))
}
