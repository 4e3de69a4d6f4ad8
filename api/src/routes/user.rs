//! `GET /douyin/user/`

use std::sync::Arc;

use idl::base::Code;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{app::App, call::Call, error::ApiError, objects::User, page};

/// One user.
#[derive(Debug, Serialize, ToSchema)]
pub struct Profile {
    /// With the exact counts.
    pub user: User,
}

/// The user named, or the one who asks.
pub async fn user(app: Arc<App>, call: Call) -> Result<Profile, ApiError> {
    let viewer = call.user(&app)?;
    let user_id = call.params.id("user_id")?.unwrap_or(viewer);
    let mut users = page::users(&app, vec![user_id]).await?;
    let user = users
        .remove(&user_id)
        .ok_or_else(|| ApiError::new(Code::NO_SUCH_USER))?;
    Ok(Profile { user })
}
