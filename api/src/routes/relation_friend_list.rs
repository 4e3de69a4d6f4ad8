//! `GET /douyin/relation/friend/list/`: who follow each other with the one who asks, latest message first.

use std::{cmp::Reverse, collections::HashMap, sync::Arc};

use auth::TokenSubject;
use idl::{
    base::Code,
    message::{LatestMessagesRequest, Message},
    relation::{Friend, ListFriendsRequest},
};
use marks::Subject;

use super::relation_follow_list::UserList;
use crate::{
    app::App,
    call::Call,
    chat::{FriendPage, FriendUser},
    error::ApiError,
    page,
    params::types::{Before, UserId},
    route::{Example, Route},
};

/// Friends that are put in order at most: as many as the interfaces let through.
const MAX_FRIENDS: i32 = 5000;

impl Example for FriendPage {
    fn example() -> Self {
        Self {
            user_list: vec![FriendUser::example()],
            has_more: false,
            next_before: 0,
        }
    }
}

/// The declaration of this route.
pub fn route() -> Route {
    Route::get("/douyin/relation/friend/list/", friend_list)
        .described(
            "One's friends",
            "Who follow each other, latest message first; then those without messages, latest follow first. Another user's list is 10009.",
        )
        .refuses(&[Code::NOT_YOURS])
}

async fn friend_list(
    app: Arc<App>,
    call: Call<TokenSubject, UserList>,
) -> Result<FriendPage, ApiError> {
    let viewer = call.user.user_id;
    if call.params.user_id.is_some_and(|UserId(id)| id != viewer) {
        return Err(ApiError::new(Code::NOT_YOURS));
    }
    let before = call.params.before.map(|Before(cursor)| cursor);
    let subjects = [
        Subject::User(viewer),
        Subject::Followers(viewer),
        Subject::Messages(viewer),
    ];
    let friends = friends(&app, viewer, before);
    let friends = app.reading(Some(viewer), &subjects, friends);
    app.only_for(&call.user, friends).await
}

async fn friends(app: &App, viewer: i64, before: Option<i64>) -> Result<FriendPage, ApiError> {
    let request = ListFriendsRequest {
        user_id: viewer,
        limit: MAX_FRIENDS,
    };
    let friends = app.relation.list_friends(request).await?.friends;
    let mut latest = latest_messages(app, viewer, &friends).await?;
    // The time of a message is greater than the id of any follow, which is a sort key, too.
    let mut sort_keys: Vec<(i64, i64)> = friends
        .iter()
        .map(|friend| {
            let message = latest.get(&friend.user_id);
            let sort_key = message.map_or(friend.cursor, |message| message.created_ms);
            (sort_key, friend.user_id)
        })
        .filter(|(sort_key, _)| before.is_none_or(|before| *sort_key < before))
        .collect();
    sort_keys.sort_unstable_by_key(|sort_key| Reverse(*sort_key));
    let limit = usize::try_from(app.settings.page.list).unwrap_or_default();
    let has_more = sort_keys.len() > limit;
    sort_keys.truncate(limit);
    let last = sort_keys.last().filter(|_| has_more);
    let next_before = last.map_or(0, |(sort_key, _)| *sort_key);
    let ids = sort_keys.iter().map(|(_, id)| *id).collect();
    let mut users = page::users(app, ids).await?;
    let user_list = sort_keys.into_iter().filter_map(|(_, id)| {
        let mut user = users.remove(&id)?;
        user.set_follow(true);
        let (message, msg_type) = match latest.remove(&id) {
            Some(message) => {
                let is_own = message.from_user_id == viewer;
                (message.content.to_string(), i64::from(is_own))
            }
            None => (String::new(), 0),
        };
        Some(FriendUser {
            user,
            message,
            msg_type,
        })
    });
    Ok(FriendPage {
        user_list: user_list.collect(),
        has_more,
        next_before,
    })
}

/// By the friend with whom they were exchanged.
async fn latest_messages(
    app: &App,
    viewer: i64,
    friends: &[Friend],
) -> Result<HashMap<i64, Message>, ApiError> {
    if friends.is_empty() {
        return Ok(HashMap::new());
    }
    let request = LatestMessagesRequest {
        user_id: viewer,
        peer_ids: friends.iter().map(|friend| friend.user_id).collect(),
    };
    let messages = app.message.latest_messages(request).await?.messages;
    let by_friend = messages.into_iter().map(|message| {
        let friend = match message.from_user_id == viewer {
            true => message.to_user_id,
            false => message.from_user_id,
        };
        (friend, message)
    });
    Ok(by_friend.collect())
}
