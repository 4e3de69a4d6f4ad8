//! `POST /douyin/favorite/action/`: a user likes a video, or takes the like back.

use std::sync::Arc;

use auth::TokenSubject;
use idl::{base::Code, favorite::SetFavoriteRequest};

use crate::{
    app::App,
    call::Call,
    error::ApiError,
    params::{
        parameters,
        types::{Switch, VideoId},
    },
    rate_limit,
    response::Empty,
    route::Route,
};

parameters! {
    /// Which video, and whether it is liked.
    pub struct FavoriteAction {
        /// Which video.
        pub video_id: VideoId,
        /// 1: like, 2: take the like back.
        pub action_type: Switch,
    }
}

/// The declaration of this route.
pub fn route() -> Route {
    Route::post("/douyin/favorite/action/", favorite_action)
        .described(
            "Like a video, or take the like back",
            "Idempotent: a second like changes nothing and is a success.",
        )
        .refuses(&[Code::NO_SUCH_VIDEO])
}

async fn favorite_action(
    app: Arc<App>,
    call: Call<TokenSubject, FavoriteAction>,
) -> Result<Empty, ApiError> {
    let user_id = call.user.user_id;
    rate_limit::write(&app, &call.user).await?;
    let request = SetFavoriteRequest {
        user_id,
        video_id: call.params.video_id.0,
        liked: call.params.action_type == Switch::On,
    };
    app.favorite.set_favorite(request).await?;
    Ok(Empty {})
}
