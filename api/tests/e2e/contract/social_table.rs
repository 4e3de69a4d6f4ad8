//! The table's routes of follows, friends and messages.

use reqwest::Method;
use testkit::Account;

use super::{
    route::{Route, UNUSED_ID},
    wrong::{missing, no_action, no_id, no_token, too_long, value},
};

/// As `fan` asks for them, of `author`.
pub fn routes(fan: &Account, author: &Account) -> Vec<Route> {
    let token = || ("token", fan.token.clone());
    let author = || ("user_id", author.user_id.to_string());
    let to_author = || ("to_user_id", author().1);
    let oneself = fan.user_id.to_string();
    let pair = |name, value: &str| (name, value.to_owned());
    vec![
        Route {
            method: Method::GET,
            path: "/douyin/feed/following/",
            right: vec![token(), pair("latest_time", "1700000000")],
            wrong: [
                vec![
                    value("latest_time", "-1", 10001, "must not be negative"),
                    value("latest_time", "1.5", 10001, "must be a whole number"),
                    value("latest_time", "now", 10001, "is not a number"),
                ],
                no_token(true),
            ]
            .concat(),
        },
        Route {
            method: Method::POST,
            path: "/douyin/relation/action/",
            right: vec![token(), to_author(), pair("action_type", "2")],
            wrong: [
                missing("to_user_id"),
                no_id("to_user_id"),
                no_action(),
                no_token(true),
                vec![
                    value("to_user_id", UNUSED_ID, 10006, ""),
                    value("to_user_id", &oneself, 10001, "must not be you"),
                ],
            ]
            .concat(),
        },
        Route {
            method: Method::GET,
            path: "/douyin/relation/friend/list/",
            right: vec![token(), pair("user_id", &oneself)],
            wrong: [
                no_id("user_id"),
                no_id("before"),
                no_token(true),
                vec![("user_id", Some(author().1), 10009, "")],
            ]
            .concat(),
        },
        Route {
            method: Method::POST,
            path: "/douyin/message/action/",
            // No right one: it would be written.
            right: vec![
                token(),
                to_author(),
                pair("action_type", "1"),
                pair("content", " "),
            ],
            wrong: [
                missing("to_user_id"),
                no_id("to_user_id"),
                no_token(true),
                missing("action_type"),
                vec![
                    value("action_type", "2", 10001, "must be 1"),
                    value("action_type", "x", 10001, "is not a number"),
                    ("content", None, 10001, "is missing"),
                    value("content", "", 10001, "at least 1 character"),
                    value("content", "\u{3000}\n ", 10001, "at least 1 character"),
                    too_long("content", 501, "at most 500 characters"),
                ],
            ]
            .concat(),
        },
        Route {
            method: Method::POST,
            path: "/douyin/message/action/",
            right: vec![
                token(),
                pair("to_user_id", UNUSED_ID),
                pair("action_type", "1"),
                pair("content", "Hello?"),
            ],
            wrong: vec![
                value("to_user_id", UNUSED_ID, 10006, ""),
                value("to_user_id", &oneself, 10001, "must not be you"),
            ],
        },
        Route {
            method: Method::GET,
            path: "/douyin/message/chat/",
            right: vec![token(), to_author(), pair("pre_msg_time", "0")],
            wrong: [
                missing("to_user_id"),
                no_id("to_user_id"),
                no_id("before"),
                no_token(true),
                vec![
                    value("pre_msg_time", "-1", 10001, "must not be negative"),
                    value("pre_msg_time", "1.5", 10001, "must be a whole number"),
                    value("pre_msg_time", "1e19", 10001, "is out of range"),
                    value("pre_msg_time", "now", 10001, "is not a number"),
                    value("to_user_id", UNUSED_ID, 10006, ""),
                    value("to_user_id", &oneself, 10001, "must not be you"),
                ],
            ]
            .concat(),
        },
    ]
}
