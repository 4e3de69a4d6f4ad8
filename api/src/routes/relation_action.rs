//! `POST /douyin/relation/action/`: a user follows another, or ends that.

use std::sync::Arc;

use auth::TokenSubject;
use idl::{base::Code, relation::SetFollowRequest};

use crate::{
    app::App,
    call::{Call, somebody_else},
    error::ApiError,
    params::{
        parameters,
        types::{Switch, UserId},
    },
    rate_limit,
    response::Empty,
    route::Route,
};

parameters! {
    /// Whom, and whether they are followed.
    pub struct RelationAction {
        /// Whom; not oneself.
        pub to_user_id: UserId,
        /// 1: follow, 2: end that.
        pub action_type: Switch,
    }
}

/// The declaration of this route.
pub fn route() -> Route {
    Route::post("/douyin/relation/action/", relation_action)
        .described(
            "Follow a user, or end that",
            "Idempotent: a second follow changes nothing and is a success.",
        )
        .refuses(&[Code::NO_SUCH_USER, Code::BLOCKED])
}

async fn relation_action(
    app: Arc<App>,
    call: Call<TokenSubject, RelationAction>,
) -> Result<Empty, ApiError> {
    let user_id = call.user.user_id;
    rate_limit::write(&app, &call.user).await?;
    let followed_id = somebody_else(user_id, call.params.to_user_id)?;
    let request = SetFollowRequest {
        user_id,
        followed_id,
        followed: call.params.action_type == Switch::On,
    };
    app.relation.set_follow(request).await?;
    Ok(Empty {})
}
