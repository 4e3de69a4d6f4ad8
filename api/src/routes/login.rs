//! `POST /douyin/user/login/`

use std::sync::Arc;

use super::register::{Session, normal};
use crate::{app::App, call::Call, error::ApiError, limit};

/// Gives a token to who knows name and password.
pub async fn login(app: Arc<App>, call: Call) -> Result<Session, ApiError> {
    let request = idl::user::LoginRequest {
        username: normal(call.params.text("username")?).into(),
        password: call.params.text("password")?.to_owned().into(),
    };
    limit::login(&app, call.client, &request.username).await?;
    let known = app.user.login(request).await?;
    Session::start(&app, known.user_id, known.created_ms)
}
