//! `POST /douyin/publish/delete/`: an author deletes a video.

use std::sync::Arc;

use auth::TokenSubject;
use idl::{base::Code, video::DeleteVideoRequest};

use crate::{
    app::App,
    call::Call,
    error::ApiError,
    params::{parameters, types::VideoId},
    rate_limit,
    response::Empty,
    route::Route,
};

parameters! {
    /// Which video.
    pub struct DeleteVideo {
        /// Which video: one's own.
        pub video_id: VideoId,
    }
}

/// The declaration of this route.
pub fn route() -> Route {
    Route::post("/douyin/publish/delete/", delete)
        .described(
            "Delete a video",
            "One's own. Its likes, comments and files go with it, and the counts follow. An addition of ours.",
        )
        .refuses(&[Code::NO_SUCH_VIDEO, Code::NOT_YOURS])
}

async fn delete(app: Arc<App>, call: Call<TokenSubject, DeleteVideo>) -> Result<Empty, ApiError> {
    let user_id = call.user.user_id;
    rate_limit::write(&app, &call.user).await?;
    let request = DeleteVideoRequest {
        user_id,
        video_id: call.params.video_id.0,
    };
    app.video.delete_video(request).await?;
    Ok(Empty {})
}
