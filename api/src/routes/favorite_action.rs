//! `POST /douyin/favorite/action/`

use std::sync::Arc;

use idl::favorite::SetFavoriteRequest;

use crate::{app::App, call::Call, error::ApiError, limit, reply::Nothing};

/// Likes a video, or takes the like back. Idempotent.
pub async fn favorite_action(app: Arc<App>, call: Call) -> Result<Nothing, ApiError> {
    let holder = call.holder(&app)?;
    let user_id = holder.user_id;
    let video_id = call
        .params
        .id("video_id")?
        .ok_or_else(|| ApiError::missing("video_id"))?;
    let liked = call.params.first_of_two("action_type")?;
    limit::write(&app, user_id)?;
    app.accounts.must_be_there(&app, &holder).await?;
    app.favorite
        .set_favorite(SetFavoriteRequest {
            user_id,
            video_id,
            liked,
        })
        .await?;
    Ok(Nothing {})
}
