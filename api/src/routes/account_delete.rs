//! `POST /douyin/user/delete/`: a user deletes their account.

use std::sync::Arc;

use auth::TokenSubject;
use idl::{base::Code, user::DeleteAccountRequest};

use crate::{
    app::App,
    call::Call,
    error::ApiError,
    params::{parameters, types::Password},
    rate_limit,
    response::Empty,
    route::Route,
};

parameters! {
    /// The password once more.
    pub struct AccountDeletion {
        /// The user's own: whoever has stolen a token doesn't know it.
        pub password: Password,
    }
}

/// The declaration of this route.
pub fn route() -> Route {
    Route::post("/douyin/user/delete/", delete)
        .described(
            "Delete one's account",
            "For good. Its videos, likes, comments and pictures go soon, and the counts follow; its name stays taken. An addition of ours.",
        )
        .refuses(&[Code::WRONG_NAME_OR_PASSWORD])
}

async fn delete(
    app: Arc<App>,
    call: Call<TokenSubject, AccountDeletion>,
) -> Result<Empty, ApiError> {
    let user_id = call.user.user_id;
    let user = rate_limit::write(&app, &call.user).await?;
    // Guesses are counted as those at login are.
    rate_limit::login(&app, call.client, &user.name).await?;
    let request = DeleteAccountRequest {
        user_id,
        password: call.params.password.0.into(),
    };
    app.user.delete_account(request).await?;
    app.accounts.invalidate(user_id);
    app.users.remove(user_id);
    Ok(Empty {})
}
