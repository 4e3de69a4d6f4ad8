//! Each route but the upload, each location, each way to be wrong: refused by its code, with the parameter and the rule named in
//! the client's language; and nothing changes.

use reqwest::Method;
use testkit::{Account, Client, System};

use super::{
    locations::{LOCATIONS, Location, Pairs},
    route::{Route, UNUSED_ID},
    social_table,
    wrong::{Wrong, missing, no_action, no_id, no_token, too_long, value},
};
use crate::{
    scene::{counts, ids, publish_video, seen_by, user_counts},
    shapes::{added, assert_no_session, assert_reply, comments, messages, users, videos},
    shared_system,
};

/// What the table needs to exist.
struct Scene {
    author: Account,
    fan: Account,
    video_id: i64,
    comment_id: i64,
}

fn routes(scene: &Scene) -> Vec<Route> {
    let token = || ("token", scene.fan.token.clone());
    let video = || ("video_id", scene.video_id.to_string());
    let comment = || ("comment_id", scene.comment_id.to_string());
    let author = || ("user_id", scene.author.user_id.to_string());
    let pair = |name, value: &str| (name, value.to_owned());
    let no_video = || value("video_id", UNUSED_ID, 10007, "");
    let list_of_a_user = |path| Route {
        method: Method::GET,
        path,
        right: vec![token(), author()],
        wrong: [
            no_id("user_id"),
            no_id("before"),
            no_token(false),
            vec![value("user_id", UNUSED_ID, 10006, "")],
        ]
        .concat(),
    };
    let mut all = vec![
        Route {
            method: Method::GET,
            path: "/douyin/feed/",
            right: vec![token(), pair("latest_time", "1700000000")],
            wrong: [
                ("-1", "must not be negative"),
                ("1.5", "must be a whole number"),
                ("9223372036854775808", "is out of range"),
                ("now", "is not a number"),
            ]
            .map(|(text, rule)| value("latest_time", text, 10001, rule))
            .into(),
        },
        Route {
            method: Method::POST,
            path: "/douyin/user/register/",
            right: vec![pair("username", &scene.fan.name), pair("password", "12345")],
            wrong: vec![
                ("username", None, 10001, "is missing"),
                value("username", "", 10001, "at least 1 character"),
                too_long("username", 33, "at most 32 characters"),
                value(
                    "username",
                    " x",
                    10001,
                    "no white space at its start or end",
                ),
                value(
                    "username",
                    "x\u{3000}",
                    10001,
                    "no white space at its start or end",
                ),
                value("username", "a\u{7}b", 10001, "no control characters"),
                ("password", None, 10001, "is missing"),
                value("password", "", 10001, "at least 5 characters"),
                value("password", "1234", 10001, "at least 5 characters"),
                value("password", &"x".repeat(33), 10001, "at most 32 characters"),
                too_long("password", 25, "at most 72 bytes"),
                value("username", &scene.fan.name, 10005, ""),
            ],
        },
        Route {
            method: Method::POST,
            path: "/douyin/user/login/",
            right: vec![
                pair("username", &scene.fan.name),
                pair("password", &scene.fan.password),
            ],
            wrong: vec![
                ("username", None, 10001, "is missing"),
                value("username", "", 10001, "at least 1 byte"),
                ("password", None, 10001, "is missing"),
                value("password", "", 10001, "at least 1 byte"),
                value("username", "nobody has this name", 10004, ""),
                // To say more than that it is wrong would help who guesses.
                ("username", Some("好".repeat(33)), 10004, ""),
                value("password", "wrong", 10004, ""),
                value("password", "x", 10004, ""),
            ],
        },
        Route {
            method: Method::GET,
            path: "/douyin/user/",
            right: vec![token(), author()],
            wrong: [
                no_id("user_id"),
                no_token(false),
                vec![value("user_id", UNUSED_ID, 10006, "")],
            ]
            .concat(),
        },
        Route {
            method: Method::POST,
            path: "/douyin/user/password/",
            // No right one: it would be changed.
            right: vec![
                token(),
                pair("password", "not the one"),
                pair("new_password", "another one"),
            ],
            wrong: [
                no_token(true),
                vec![
                    ("password", None, 10001, "is missing"),
                    value("password", "", 10001, "at least 1 byte"),
                    ("new_password", None, 10001, "is missing"),
                    value("new_password", "1234", 10001, "at least 5 characters"),
                    value(
                        "new_password",
                        &"x".repeat(33),
                        10001,
                        "at most 32 characters",
                    ),
                    too_long("new_password", 25, "at most 72 bytes"),
                    value("password", "wrong", 10004, ""),
                ],
            ]
            .concat(),
        },
        Route {
            method: Method::POST,
            path: "/douyin/user/logout/",
            // No right one: the token would end.
            right: vec![token()],
            wrong: no_token(true),
        },
        Route {
            method: Method::POST,
            path: "/douyin/user/delete/",
            right: vec![token(), pair("password", "not the one")],
            wrong: [
                no_token(true),
                vec![
                    ("password", None, 10001, "is missing"),
                    value("password", "", 10001, "at least 1 byte"),
                    value("password", "wrong", 10004, ""),
                ],
            ]
            .concat(),
        },
        Route {
            method: Method::POST,
            path: "/douyin/user/block/",
            right: vec![
                token(),
                pair("to_user_id", &scene.author.user_id.to_string()),
                pair("action_type", "2"),
            ],
            wrong: [
                missing("to_user_id"),
                no_id("to_user_id"),
                no_action(),
                no_token(true),
                vec![
                    value("to_user_id", UNUSED_ID, 10006, ""),
                    value(
                        "to_user_id",
                        &scene.fan.user_id.to_string(),
                        10001,
                        "must not be you",
                    ),
                ],
            ]
            .concat(),
        },
        Route {
            method: Method::GET,
            path: "/douyin/user/block/list/",
            right: vec![token()],
            wrong: [no_id("before"), no_token(true)].concat(),
        },
        Route {
            method: Method::POST,
            path: "/douyin/user/profile/",
            // No right one: it would be changed.
            right: vec![token(), pair("signature", "x")],
            wrong: [
                no_token(true),
                vec![
                    ("signature", None, 10001, "is missing"),
                    value("signature", "a\u{7}b", 10001, "no control characters"),
                    too_long("signature", 201, "at most 200 characters"),
                ],
            ]
            .concat(),
        },
        list_of_a_user("/douyin/publish/list/"),
        list_of_a_user("/douyin/favorite/list/"),
        list_of_a_user("/douyin/relation/follow/list/"),
        list_of_a_user("/douyin/relation/follower/list/"),
        Route {
            method: Method::POST,
            path: "/douyin/favorite/action/",
            right: vec![token(), video(), pair("action_type", "2")],
            wrong: [
                missing("video_id"),
                no_id("video_id"),
                no_action(),
                no_token(true),
                vec![no_video()],
            ]
            .concat(),
        },
        Route {
            method: Method::POST,
            path: "/douyin/comment/action/",
            // No right one: it would be written.
            right: vec![
                token(),
                video(),
                pair("action_type", "1"),
                pair("comment_text", ""),
            ],
            wrong: [
                missing("video_id"),
                no_id("video_id"),
                no_action(),
                no_token(true),
                vec![
                    ("comment_text", None, 10001, "is missing"),
                    value("comment_text", "", 10001, "at least 1 character"),
                    too_long("comment_text", 501, "at most 500 characters"),
                ],
            ]
            .concat(),
        },
        Route {
            method: Method::POST,
            path: "/douyin/comment/action/",
            right: vec![
                token(),
                video(),
                pair("action_type", "2"),
                pair("comment_id", UNUSED_ID),
            ],
            wrong: [
                missing("comment_id"),
                no_id("comment_id"),
                vec![
                    value("comment_id", UNUSED_ID, 10008, ""),
                    no_video(),
                    // The author's own.
                    ("comment_id", Some(comment().1), 10009, ""),
                ],
            ]
            .concat(),
        },
        Route {
            method: Method::POST,
            path: "/douyin/publish/delete/",
            // No right one: it would be deleted.
            right: vec![token(), video()],
            wrong: [
                missing("video_id"),
                no_id("video_id"),
                no_token(true),
                vec![
                    no_video(),
                    // The author's.
                    ("video_id", Some(video().1), 10009, ""),
                ],
            ]
            .concat(),
        },
        Route {
            method: Method::GET,
            path: "/douyin/video/",
            right: vec![token(), video()],
            wrong: [
                missing("video_id"),
                no_id("video_id"),
                no_token(false),
                vec![no_video()],
            ]
            .concat(),
        },
        Route {
            method: Method::GET,
            path: "/douyin/comment/list/",
            right: vec![token(), video()],
            wrong: [
                missing("video_id"),
                no_id("video_id"),
                no_id("before"),
                no_token(false),
                vec![no_video()],
            ]
            .concat(),
        },
    ];
    all.extend(social_table::routes(&scene.fan, &scene.author));
    all
}

/// The right request with one parameter wrong.
fn with_wrong_value(right: &Pairs, (name, text, ..): &Wrong) -> Pairs {
    let others = right.iter().filter(|pair| pair.0 != *name).cloned();
    let wrong = text.iter().map(|text| (*name, text.clone()));
    // In front: which half of the parameters it falls into is no matter of where the table has it.
    wrong.chain(others).collect()
}

/// One entry of the table in one location; in both languages where the location is the plainest.
async fn refused(client: &Client, route: &Route, location: Location, wrong: &Wrong) {
    let (name, _, code, rule) = wrong;
    let pairs = with_wrong_value(&route.right, wrong);
    // What is left out of the query is not left out of the body that would lose.
    if location == Location::QueryOverForm && wrong.1.is_none() {
        return;
    }
    let languages = if location == Location::Query { 2 } else { 1 };
    for (language, says) in ["en", "zh"].into_iter().zip(words(*code)).take(languages) {
        let request = location.request(client, &route.method, route.path, &pairs);
        let reply = client
            .send(request.header("accept-language", language))
            .await;
        let what = format!(
            "{} {location:?} {wrong:?} {language}: {}",
            route.path, reply.text
        );
        assert_eq!((reply.http, reply.try_code()), (200, Some(*code)), "{what}");
        let message = reply.message();
        assert!(message.starts_with(says), "{what}");
        if *code == 10001 {
            let colon = if language == "en" { ": " } else { "：" };
            assert!(message.contains(&format!("{name}{colon}")), "{what}");
        }
        match language {
            "en" => assert!(message.ends_with(rule), "{what}"),
            _ => assert!(rule.is_empty() || !message.contains(rule), "{what}"),
        }
        assert!(!reply.request_id().is_empty(), "{what}");
        assert_reply(&reply.body);
        if route.path.contains("/user/register") || route.path.contains("/user/login") {
            assert_no_session(&reply.body);
        }
    }
}

fn words(code: i64) -> [&'static str; 2] {
    let found = api::i18n::CODES
        .iter()
        .find(|(known, ..)| i64::from(known.inner()) == code);
    let (_, english, chinese) = found.expect("a code of the table");
    [english, chinese]
}

async fn scene(client: &Client) -> Scene {
    let (author, fan) = (client.new_account().await, client.new_account().await);
    let video_id = publish_video(client, &author).await;
    let comment = client
        .comment(&author.token, video_id, "by the author")
        .await;
    Scene {
        comment_id: added(&comment.ok())["id"].as_i64().unwrap(),
        author,
        fan,
        video_id,
    }
}

async fn assert_untouched(system: &System, scene: &Scene) {
    let client = system.client();
    let video = seen_by(system, &scene.fan, &scene.author, scene.video_id).await;
    assert_eq!(counts(&video), (0, 1, false));
    assert_eq!(user_counts(system, &scene.fan).await, (0, 0, 0));
    assert_eq!(user_counts(system, &scene.author).await, (0, 0, 1));
    let list = comments(&client.comments(scene.video_id).await.ok());
    assert_eq!(ids(&list), [scene.comment_id]);
    let likes = client.favorite_list(&[("token", &scene.fan.token)]).await;
    assert!(videos(&likes.ok()).is_empty());
    let query = [("token", scene.fan.token.as_str())];
    let follows = client.relation_list("follow", &query).await;
    assert!(users(&follows.ok()).is_empty());
    let chat = client.chat(&scene.fan.token, scene.author.user_id, None);
    assert!(messages(&chat.await.ok()).is_empty());
    client
        .login(&scene.fan.name, &scene.fan.password)
        .await
        .ok();
}

#[tokio::test]
async fn whatever_is_wrong_in_whatever_place_is_refused_by_name_and_changes_nothing() {
    let system = shared_system().await;
    let client = system.client();
    let scene = scene(&client).await;
    let mut cases = 0;
    for route in routes(&scene) {
        for wrong in &route.wrong {
            let everywhere = LOCATIONS.map(|location| refused(&client, &route, location, wrong));
            futures::future::join_all(everywhere).await;
            cases += LOCATIONS.len();
        }
    }
    assert!(cases > 1500, "{cases}");
    assert_untouched(&system, &scene).await;
}

#[tokio::test]
async fn what_is_right_is_right_in_every_place() {
    let system = shared_system().await;
    let client = system.client();
    let scene = scene(&client).await;
    let reads_and_unlikes = routes(&scene).into_iter().filter(|route| {
        let writes = [
            "/user/password",
            "/user/logout",
            "/user/delete",
            "/comment/action",
            "/message/action",
            "/register",
            "/publish/delete",
            "/user/profile",
        ];
        !writes.iter().any(|write| route.path.contains(write))
    });
    for route in reads_and_unlikes {
        for location in LOCATIONS {
            let request = location.request(&client, &route.method, route.path, &route.right);
            let reply = client.send(request).await;
            assert_eq!(
                reply.try_code(),
                Some(0),
                "{} {location:?} {}",
                route.path,
                reply.text
            );
        }
    }
    assert_untouched(&system, &scene).await;
}

#[tokio::test]
async fn on_the_feed_a_broken_token_is_none() {
    let system = shared_system().await;
    let client = system.client();
    for location in LOCATIONS {
        let pairs = [
            ("token", "not.a.token".to_owned()),
            ("latest_time", "1".to_owned()),
        ];
        let request = location.request(&client, &Method::GET, "/douyin/feed/", &pairs);
        assert!(videos(&client.send(request).await.ok()).is_empty());
    }
}
