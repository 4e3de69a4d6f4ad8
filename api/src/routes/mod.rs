//! The list of all routes. Each is declared in a file of its own, with its parameters, its handler and its reply.

pub mod comment_action;
pub mod comment_list;
pub mod favorite_action;
pub mod favorite_list;
pub mod feed;
pub mod login;
pub mod profile;
pub mod publish;
pub mod publish_delete;
pub mod publish_list;
pub mod register;
pub mod user;
pub mod video;

use crate::route::Route;

/// Every route of the contract.
pub fn routes() -> Vec<Route> {
    vec![
        comment_action::route(),
        comment_list::route(),
        favorite_action::route(),
        favorite_list::route(),
        feed::route(),
        login::route(),
        profile::route(),
        publish::route(),
        publish_delete::route(),
        publish_list::route(),
        register::route(),
        user::route(),
        video::route(),
    ]
}
