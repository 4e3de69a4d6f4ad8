//! `GET /douyin/user/block/list/`: whom a user has blocked. Nobody else sees it.

use std::sync::Arc;

use auth::TokenSubject;
use idl::user::ListBlocksRequest;
use marks::Subject;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    call::Call,
    error::ApiError,
    objects::User,
    page,
    params::{parameters, types::Before},
    route::{Example, Route},
};

parameters! {
    /// Which page.
    pub struct BlockList {
        /// Goes on from here: the last page's `next_before`.
        pub before: Option<Before>,
    }
}

/// A page of the users that one has blocked.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BlockedPage {
    /// By their ids, the greatest first.
    #[schema(max_items = 300)]
    pub user_list: Vec<User>,
    /// Whether more follows after the last.
    pub has_more: bool,
    /// The next page's `before`. 0 when nothing follows.
    #[schema(minimum = 0)]
    pub next_before: i64,
}

impl Example for BlockedPage {
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
    Route::get("/douyin/user/block/list/", list).described(
        "Whom one has blocked",
        "Nobody else sees it. An addition of ours.",
    )
}

async fn list(app: Arc<App>, call: Call<TokenSubject, BlockList>) -> Result<BlockedPage, ApiError> {
    let user_id = call.user.user_id;
    let request = ListBlocksRequest {
        user_id,
        before: call.params.before.map(|Before(cursor)| cursor),
        limit: app.settings.page.list,
    };
    let read = async {
        let page = app.user.list_blocks(request).await?;
        let mut users = page::users(&app, page.user_ids.clone()).await?;
        let in_order = page.user_ids.iter().filter_map(|id| users.remove(id));
        Ok(BlockedPage {
            user_list: in_order.collect(),
            has_more: page.has_more,
            next_before: page.next_before.unwrap_or(0),
        })
    };
    let subjects = [Subject::User(user_id)];
    let page = app.reading(Some(user_id), &subjects, read);
    app.only_for(&call.user, page).await
}
