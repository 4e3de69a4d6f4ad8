//! `GET /douyin/relation/follow/list/`: whom a user follows, latest follow first.

use std::sync::Arc;

use auth::TokenSubject;
use idl::{
    base::Code,
    relation::{ListFollowsRequest, ListFollowsResponse},
};

use super::publish_list::shown_of;
use crate::{
    app::App,
    call::{Call, list_owner},
    error::ApiError,
    flags::{Flags, HasFlags as _},
    objects::{User, UserPage},
    page::{self, IncludedCounts},
    params::{
        parameters,
        types::{Before, UserId},
    },
    route::{Example, Route},
};

parameters! {
    /// Whose list, and which page of it.
    pub struct UserList {
        /// Whose; absent: the token's user.
        pub user_id: Option<UserId>,
        /// Goes on from here: the last page's `next_before`. An addition of ours.
        pub before: Option<Before>,
    }
}

impl Example for UserPage {
    fn example() -> Self {
        Self {
            user_list: vec![User::example()],
            has_more: false,
            next_before: 0,
        }
    }
}

/// The declaration of this route.
pub fn route() -> Route {
    Route::get("/douyin/relation/follow/list/", follow_list)
        .described("Whom a user follows", "Latest follow first.")
        .refuses(&[Code::NOT_LOGGED_IN, Code::NO_SUCH_USER])
}

async fn follow_list(
    app: Arc<App>,
    call: Call<Option<TokenSubject>, UserList>,
) -> Result<UserPage, ApiError> {
    let viewer = call.user.map(|holder| holder.user_id);
    let owner = list_owner(call.params.user_id, viewer)?;
    let request = ListFollowsRequest {
        user_id: owner,
        before: call.params.before.map(|Before(cursor)| cursor),
        limit: app.settings.page.list,
    };
    let follows = async {
        let list = app.relation.list_follows(request).await?;
        listed(&app, list, owner, viewer).await
    };
    app.reading(viewer, &shown_of(owner, viewer), follows).await
}

/// The page of a list of this owner, which the service has given.
pub async fn listed(
    app: &App,
    list: ListFollowsResponse,
    owner: i64,
    viewer: Option<i64>,
) -> Result<UserPage, ApiError> {
    // Where somebody follows, there is a user.
    if list.user_ids.is_empty() && !page::user_exists(app, owner).await? {
        return Err(ApiError::new(Code::NO_SUCH_USER));
    }
    let ids = list.user_ids.clone();
    let flags = async {
        match viewer {
            Some(viewer) => {
                let consistency = service::reader().consistency;
                page::flags(app, viewer, consistency, Vec::new(), ids).await
            }
            None => Flags::default(),
        }
    };
    let counts = IncludedCounts::new(list.user_counts);
    let users = page::users_in_order(app, list.user_ids, counts, viewer);
    let (users, flags) = futures::future::join(users, flags).await;
    let mut user_list = users?;
    user_list.set_flags(&flags);
    Ok(UserPage {
        user_list,
        has_more: list.has_more,
        next_before: list.next_before.unwrap_or(0),
    })
}
