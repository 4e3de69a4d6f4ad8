//! `POST /douyin/user/login/`: gives a token to who knows name and password.

use std::sync::Arc;

use idl::base::Code;

use super::register::Session;
use crate::{
    app::App,
    call::Call,
    error::ApiError,
    params::{
        parameters,
        types::{Password, Username},
    },
    rate_limit,
    route::Route,
};

parameters! {
    /// Who logs in.
    pub struct Login {
        /// As registered.
        pub username: Username,
        /// As registered.
        pub password: Password,
    }
}

/// The declaration of this route.
pub fn route() -> Route {
    Route::post("/douyin/user/login/", login)
        .described(
            "Log in",
            "A missing name or password is 10001, any other wrong one 10004, without saying which. A token lives 7 days (settings).",
        )
        .refuses(&[Code::WRONG_NAME_OR_PASSWORD, Code::SUSPENDED])
        .fails_with::<Session>()
}

async fn login(app: Arc<App>, call: Call<(), Login>) -> Result<Session, ApiError> {
    let request = idl::user::LoginRequest {
        username: call.params.username.0.into(),
        password: call.params.password.0.into(),
    };
    rate_limit::login(&app, call.client, &request.username).await?;
    let known = app.user.login(request).await?;
    let epoch = known.token_epoch.unwrap_or(0);
    Session::start(&app, known.user_id, known.created_ms, epoch)
}
