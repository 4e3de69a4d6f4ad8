//! `POST /douyin/user/block/`: a user blocks another, or unblocks them.

use std::sync::Arc;

use auth::TokenSubject;
use idl::{base::Code, relation::SetFollowRequest, user::SetBlockRequest};

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
    /// Whom, and whether.
    pub struct BlockAction {
        /// Whom: somebody else.
        pub to_user_id: UserId,
        /// 1: block, 2: no longer.
        pub action_type: Switch,
    }
}

/// The declaration of this route.
pub fn route() -> Route {
    Route::post("/douyin/user/block/", block)
        .described(
            "Block a user, or no longer",
            "Who is blocked can't follow one or send one messages, and follows one no longer. Idempotent. An addition of ours.",
        )
        .refuses(&[Code::NO_SUCH_USER])
}

async fn block(app: Arc<App>, call: Call<TokenSubject, BlockAction>) -> Result<Empty, ApiError> {
    let user_id = call.user.user_id;
    rate_limit::write(&app, &call.user).await?;
    let blocked_id = somebody_else(user_id, call.params.to_user_id)?;
    let request = SetBlockRequest {
        user_id,
        blocked_id,
        blocked: call.params.action_type == Switch::On,
    };
    let is_blocked = request.blocked;
    app.user.set_block(request).await?;
    if is_blocked {
        // From now on they can't follow, and whoever did doesn't any more.
        let request = SetFollowRequest {
            user_id: blocked_id,
            followed_id: user_id,
            followed: false,
        };
        app.relation.set_follow(request).await?;
    }
    Ok(Empty {})
}
