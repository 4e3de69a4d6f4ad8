//! The list of all routes. Each is declared in a file of its own, with its parameters, its handler and its reply.

pub mod account_delete;
pub mod block_action;
pub mod block_list;
pub mod comment_action;
pub mod comment_list;
pub mod favorite_action;
pub mod favorite_list;
pub mod feed;
pub mod feed_following;
pub mod login;
pub mod logout;
pub mod message_action;
pub mod message_chat;
pub mod password;
pub mod profile;
pub mod publish;
pub mod publish_delete;
pub mod publish_list;
pub mod register;
pub mod relation_action;
pub mod relation_follow_list;
pub mod relation_follower_list;
pub mod relation_friend_list;
pub mod user;
pub mod video;

use crate::route::Route;

/// Every route of the contract.
pub fn routes() -> Vec<Route> {
    vec![
        account_delete::route(),
        block_action::route(),
        block_list::route(),
        comment_action::route(),
        comment_list::route(),
        favorite_action::route(),
        favorite_list::route(),
        feed::route(),
        feed_following::route(),
        login::route(),
        logout::route(),
        message_action::route(),
        message_chat::route(),
        password::route(),
        profile::route(),
        publish::route(),
        publish_delete::route(),
        publish_list::route(),
        register::route(),
        relation_action::route(),
        relation_follow_list::route(),
        relation_follower_list::route(),
        relation_friend_list::route(),
        user::route(),
        video::route(),
    ]
}
