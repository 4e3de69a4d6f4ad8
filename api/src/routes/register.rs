//! `POST /douyin/user/register/`: makes an account and logs it in.

use std::sync::Arc;

use idl::base::Code;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    call::Call,
    error::ApiError,
    params::{
        parameters,
        types::{EXAMPLE_TOKEN, NewPassword, NewUsername},
    },
    rate_limit,
    route::{Example, Route},
};

parameters! {
    /// A new account.
    pub struct Register {
        /// 1 to 32 characters, compared exactly in NFC; no white space at its ends, no control characters.
        pub username: NewUsername,
        /// 5 to 32 characters, at most 72 bytes.
        pub password: NewPassword,
    }
}

/// Who is logged in now; also sent, empty, when a register or login fails.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Session {
    /// 0 in a failure.
    pub user_id: i64,
    /// Empty in a failure.
    pub token: String,
}

impl Example for Session {
    fn example() -> Self {
        Self {
            user_id: 1,
            token: EXAMPLE_TOKEN.to_owned(),
        }
    }
}

impl Session {
    /// A new token for a user. `epoch`: how often the tokens of the account have been ended.
    pub fn start(
        app: &App,
        user_id: i64,
        created_ms: Option<i64>,
        epoch: i64,
    ) -> Result<Self, ApiError> {
        Ok(Self {
            user_id,
            token: app.token_for(user_id, created_ms, epoch)?,
        })
    }
}

/// The declaration of this route.
pub fn route() -> Route {
    Route::post("/douyin/user/register/", register)
        .described("Make an account", "It is logged in at once.")
        .refuses(&[Code::NAME_TAKEN])
        .fails_with::<Session>()
}

async fn register(app: Arc<App>, call: Call<(), Register>) -> Result<Session, ApiError> {
    let request = idl::user::RegisterRequest {
        username: call.params.username.0.into(),
        password: call.params.password.0.into(),
    };
    rate_limit::register(&app, call.client).await?;
    let made = app.user.register(request).await?;
    Session::start(&app, made.user_id, made.created_ms, 0)
}
