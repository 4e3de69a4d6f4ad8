//! `GET /douyin/user/`: a user with the exact counts.

use std::sync::Arc;

use auth::Holder;
use idl::base::Code;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    call::Call,
    error::ApiError,
    objects::User,
    page,
    params::{parameters, types::UserId},
    route::{Example, Route},
};

parameters! {
    /// Which user.
    pub struct UserQuery {
        /// Whose; absent: the token's user.
        pub user_id: Option<UserId>,
    }
}

/// One user.
#[derive(Debug, Serialize, ToSchema)]
pub struct Profile {
    /// With the exact counts.
    pub user: User,
}

impl Example for Profile {
    fn example() -> Self {
        Self {
            user: User::example(),
        }
    }
}

/// The declaration of this route.
pub fn route() -> Route {
    Route::get("/douyin/user/", user)
        .described("A user", "With the exact counts.")
        .refuses(&[Code::NO_SUCH_USER])
}

async fn user(app: Arc<App>, call: Call<Holder, UserQuery>) -> Result<Profile, ApiError> {
    let user_id = call
        .params
        .user_id
        .map_or(call.user.user_id, |UserId(id)| id);
    let mut users = page::users(&app, vec![user_id]).await?;
    let user = users
        .remove(&user_id)
        .ok_or_else(|| ApiError::new(Code::NO_SUCH_USER))?;
    Ok(Profile { user })
}
