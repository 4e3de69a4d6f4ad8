//! The routes of the contract, one file each.

pub mod comment_action;
pub mod comment_list;
pub mod favorite_action;
pub mod favorite_list;
pub mod feed;
pub mod login;
pub mod publish;
pub mod publish_list;
pub mod register;
pub mod user;
