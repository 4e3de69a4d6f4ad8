//! `POST /douyin/user/block/`: a user blocks another, or unblocks them.

use std::sync::Arc;

use auth::TokenSubject;
use idl::{base::Code, relation::SetFollowRequest, user::SetBlockRequest};
use telemetry::{RequestId, cost};
use tracing::{Instrument as _, Span};

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
    to_its_end(set(app, request)).await?;
    Ok(Empty {})
}

/// When the second call fails, the block stands; whoever repeats the request repeats both.
async fn set(app: Arc<App>, request: SetBlockRequest) -> Result<(), ApiError> {
    let SetBlockRequest {
        user_id,
        blocked_id,
        blocked,
    } = request;
    app.user.set_block(request).await?;
    if blocked {
        // From now on they can't follow, and whoever did doesn't any more.
        let request = SetFollowRequest {
            user_id: blocked_id,
            followed_id: user_id,
            followed: false,
        };
        app.relation.set_follow(request).await?;
    }
    Ok(())
}

/// Runs `work` in a task of its own, so that a client that leaves doesn't cut it between its calls. It works under the id and in the span of
/// this request, which is charged with its cost. (The calls name no reader, so there is no other metadata to take along.)
async fn to_its_end(
    work: impl Future<Output = Result<(), ApiError>> + Send + 'static,
) -> Result<(), ApiError> {
    let (id, span) = (RequestId::current(), Span::current());
    let work = RequestId::carry(id, cost::scope(work)).instrument(span);
    let ended = tokio::spawn(work).await;
    // The panic hook has logged where.
    let (result, spent) = ended.map_err(|_| ApiError::new(Code::INTERNAL))?;
    cost::add(spent);
    result
}
