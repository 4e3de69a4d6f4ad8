//! `POST /douyin/user/logout/`: a user logs out everywhere.

use std::sync::Arc;

use auth::TokenSubject;
use idl::user::EndSessionsRequest;

use crate::{
    app::App, call::Call, error::ApiError, params::parameters, rate_limit, response::Empty,
    route::Route,
};

parameters! {
    /// Nothing but the token.
    pub struct Logout {}
}

/// The declaration of this route.
pub fn route() -> Route {
    Route::post("/douyin/user/logout/", logout).described(
        "Log out everywhere",
        "All tokens end: at once where they would write or read what is the user's alone, at the latest after 5 s. Pages that anybody may see still \
         take them until they expire. An addition of ours.",
    )
}

async fn logout(app: Arc<App>, call: Call<TokenSubject, Logout>) -> Result<Empty, ApiError> {
    let user_id = call.user.user_id;
    rate_limit::write(&app, &call.user).await?;
    app.user
        .end_sessions(EndSessionsRequest { user_id })
        .await?;
    app.accounts.invalidate(user_id);
    Ok(Empty {})
}
