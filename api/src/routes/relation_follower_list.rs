//! `GET /douyin/relation/follower/list/`: who follows a user, latest follow first.

use std::sync::Arc;

use auth::TokenSubject;
use idl::{base::Code, relation::ListFollowersRequest};
use marks::Subject;

use super::relation_follow_list::{UserList, listed};
use crate::{
    app::App,
    call::{Call, list_owner},
    error::ApiError,
    objects::UserPage,
    params::types::Before,
    route::Route,
};

/// The declaration of this route.
pub fn route() -> Route {
    Route::get("/douyin/relation/follower/list/", follower_list)
        .described("Who follows a user", "Latest follow first.")
        .refuses(&[Code::NOT_LOGGED_IN, Code::NO_SUCH_USER])
}

async fn follower_list(
    app: Arc<App>,
    call: Call<Option<TokenSubject>, UserList>,
) -> Result<UserPage, ApiError> {
    let viewer = call.user.map(|holder| holder.user_id);
    let owner = list_owner(call.params.user_id, viewer)?;
    let request = ListFollowersRequest {
        user_id: owner,
        before: call.params.before.map(|Before(cursor)| cursor),
        limit: app.settings.page.list,
    };
    let followers = async {
        let list = app.relation.list_followers(request).await?;
        listed(&app, list, owner, viewer).await
    };
    let own = viewer.map(Subject::User);
    let subjects: Vec<Subject> = std::iter::once(Subject::Followers(owner))
        .chain(own)
        .collect();
    app.reading(viewer, &subjects, followers).await
}
