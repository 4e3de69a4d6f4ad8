//! `GET /douyin/user/`: a user with the exact counts.

use std::sync::Arc;

use auth::TokenSubject;
use futures::future::join;
use idl::base::Code;
use marks::Subject;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    call::{Call, list_owner},
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
        .refuses(&[Code::NOT_LOGGED_IN, Code::NO_SUCH_USER])
}

async fn user(
    app: Arc<App>,
    call: Call<Option<TokenSubject>, UserQuery>,
) -> Result<Profile, ApiError> {
    let viewer = call.user.map(|holder| holder.user_id);
    let user_id = list_owner(call.params.user_id, viewer)?;
    let found = async {
        match viewer == Some(user_id) {
            // Who may have changed it a moment ago.
            true => {
                let subjects = [Subject::User(user_id)];
                let now = page::user_now(&app, user_id);
                app.reading(viewer, &subjects, now).await
            }
            false => Ok(page::users(&app, vec![user_id]).await?.remove(&user_id)),
        }
    };
    let (user, follows) = join(found, follows(&app, viewer, user_id)).await;
    let mut user = user?.ok_or_else(|| ApiError::new(Code::NO_SUCH_USER))?;
    user.set_follow(follows);
    Ok(Profile { user })
}

/// Whether the viewer follows this user; false while that can't be read.
async fn follows(app: &App, viewer: Option<i64>, user_id: i64) -> bool {
    let Some(viewer) = viewer.filter(|viewer| *viewer != user_id) else {
        return false;
    };
    let consistency = app.consistency(&[Subject::User(viewer)]).await;
    let flags = page::flags(app, viewer, consistency, Vec::new(), vec![user_id]).await;
    flags.followed.contains(&user_id)
}
