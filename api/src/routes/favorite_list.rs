//! `GET /douyin/favorite/list/`: what a user likes, latest like first.

use std::{collections::HashMap, sync::Arc};

use auth::TokenSubject;
use idl::{
    base::Code, favorite::ListFavoritesRequest, user::MGetUsersRequest, video::MGetVideosRequest,
};

use super::publish_list::{VideoList, shown_of};
use crate::{
    app::App,
    call::{Call, list_owner},
    error::ApiError,
    objects::VideoPage,
    page,
    params::types::Before,
    route::Route,
};

/// The declaration of this route.
pub fn route() -> Route {
    Route::get("/douyin/favorite/list/", favorite_list)
        .described("What a user likes", "Latest like first.")
        .refuses(&[Code::NOT_LOGGED_IN, Code::NO_SUCH_USER])
}

async fn favorite_list(
    app: Arc<App>,
    call: Call<Option<TokenSubject>, VideoList>,
) -> Result<VideoPage, ApiError> {
    let viewer = call.user.map(|holder| holder.user_id);
    let user_id = list_owner(call.params.user_id, viewer)?;
    let request = ListFavoritesRequest {
        user_id,
        before: call.params.before.map(|Before(cursor)| cursor),
        limit: app.settings.page.list,
    };
    let page = liked(&app, request, viewer);
    app.reading(viewer, &shown_of(user_id, viewer), page).await
}

async fn liked(
    app: &App,
    request: ListFavoritesRequest,
    viewer: Option<i64>,
) -> Result<VideoPage, ApiError> {
    let owner = MGetUsersRequest {
        user_ids: vec![request.user_id],
        with_changes: None,
    };
    let (list, owner) = futures::future::join(
        app.favorite.list_favorites(request),
        app.user.mget_users(owner),
    )
    .await;
    if owner?.users.is_empty() {
        return Err(ApiError::new(Code::NO_SUCH_USER));
    }
    let list = list?;
    if list.video_ids.is_empty() {
        return Ok(VideoPage {
            video_list: Vec::new(),
            has_more: false,
            next_before: 0,
        });
    }
    let videos = app
        .video
        .mget_videos(MGetVideosRequest {
            video_ids: list.video_ids.clone(),
            viewer_id: None,
        })
        .await?
        .videos;
    let mut by_id: HashMap<i64, idl::video::Video> =
        videos.into_iter().map(|video| (video.id, video)).collect();
    let in_order = list
        .video_ids
        .iter()
        .filter_map(|id| by_id.remove(id))
        .collect();
    let video_list = page::videos_of(app, in_order, viewer).await?;
    Ok(VideoPage {
        video_list,
        has_more: list.has_more,
        next_before: list.next_before.unwrap_or(0),
    })
}
