//! `POST /douyin/user/password/`: a user changes their password, which ends all tokens but the new one.

use std::sync::Arc;

use auth::TokenSubject;
use idl::{base::Code, user::ChangePasswordRequest};

use super::register::Session;
use crate::{
    app::App,
    call::Call,
    error::ApiError,
    params::{
        parameters,
        types::{ChangedPassword, Password},
    },
    rate_limit,
    route::Route,
};

parameters! {
    /// The old password and the new one.
    pub struct PasswordChange {
        /// The one until now.
        pub password: Password,
        /// 5 to 32 characters, at most 72 bytes.
        pub new_password: ChangedPassword,
    }
}

/// The declaration of this route.
pub fn route() -> Route {
    Route::post("/douyin/user/password/", change)
        .described(
            "Change one's password",
            "All tokens end, everywhere; the reply has a new one. An addition of ours.",
        )
        .refuses(&[Code::WRONG_NAME_OR_PASSWORD])
}

async fn change(
    app: Arc<App>,
    call: Call<TokenSubject, PasswordChange>,
) -> Result<Session, ApiError> {
    let user_id = call.user.user_id;
    let user = rate_limit::write(&app, &call.user).await?;
    // Guesses are counted as those at login are.
    rate_limit::login(&app, call.client, &user.name).await?;
    let request = ChangePasswordRequest {
        user_id,
        password: call.params.password.0.into(),
        new_password: call.params.new_password.0.into(),
    };
    let changed = app.user.change_password(request).await?;
    app.accounts.invalidate(user_id);
    Session::start(&app, user_id, changed.created_ms, changed.token_epoch)
}
