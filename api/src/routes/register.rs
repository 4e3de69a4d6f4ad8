//! `POST /douyin/user/register/`

use std::sync::Arc;

use serde::Serialize;
use unicode_normalization::UnicodeNormalization as _;
use utoipa::ToSchema;

use crate::{app::App, call::Call, error::ApiError, limit};

/// Who is logged in now; also sent, empty, when a register or login fails.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct Session {
    /// 0 in a failure.
    pub user_id: i64,
    /// Empty in a failure.
    pub token: String,
}

impl Session {
    /// A fresh token for the user, whose account was made then.
    pub fn start(app: &App, user_id: i64, created_ms: Option<i64>) -> Result<Self, ApiError> {
        Ok(Self {
            user_id,
            token: app.token_for(user_id, created_ms)?,
        })
    }
}

/// Makes an account and logs it in.
pub async fn register(app: Arc<App>, call: Call) -> Result<Session, ApiError> {
    let request = idl::user::RegisterRequest {
        username: normal(call.params.text("username")?).into(),
        password: call.params.text("password")?.to_owned().into(),
    };
    limit::register(&app, call.client).await?;
    let made = app.user.register(request).await?;
    Session::start(&app, made.user_id, made.created_ms)
}

/// A name in NFC, so that its length is counted, and its owner found, in one form.
pub fn normal(username: &str) -> String {
    username.nfc().collect()
}
