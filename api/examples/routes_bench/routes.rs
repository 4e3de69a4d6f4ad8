//! What is asked: each route with its request, and what a whole answer has.

use std::io::Write as _;

use serde_json::Value;

use crate::scene::{COLD_COMMENTS, FEED, FRIENDS, HEAVY_LIKES, HOT_COMMENTS, Scene, WORKS};

pub struct Route {
    /// In `ROUTES`.
    pub key: &'static str,
    pub name: &'static str,
    /// Writes the next request of this client.
    pub request: fn(&Scene, usize, &mut Vec<u8>),
    /// Whether a body has what the scene has put there.
    pub is_whole: fn(&Value) -> bool,
    pub writes: bool,
    /// Only of interest where the database is large.
    pub of_grown: bool,
    /// Needs follows and messages, which an older baseline lacks.
    pub is_social: bool,
}

/// Those that write come last, so that reads don't meet what they leave behind.
pub fn all() -> Vec<Route> {
    vec![
        read("feed", "feed, no token", feed, |body| {
            entries(body, "video_list") == FEED
        }),
        read(
            "feed-viewers",
            "feed, 1,000 viewers",
            feed_of_viewers,
            |body| entries(body, "video_list") == FEED,
        ),
        read("user", "user", user, |body| {
            body["user"]["name"].is_string()
        }),
        read("works", "publish/list", works, |body| {
            entries(body, "video_list") == WORKS
        }),
        read("favorites", "favorite/list", favorites, |body| {
            entries(body, "video_list") == FEED
        }),
        Route {
            of_grown: true,
            ..read(
                "heavy-favorites",
                "favorite/list, 300 entries",
                heavy_favorites,
                |body| entries(body, "video_list") == HEAVY_LIKES,
            )
        },
        read(
            "comments-hot",
            "comment/list, one video",
            comments_hot,
            |body| entries(body, "comment_list") == HOT_COMMENTS,
        ),
        read(
            "comments-cold",
            "comment/list, many videos",
            comments_cold,
            |body| entries(body, "comment_list") == COLD_COMMENTS,
        ),
        social(read("chat", "message/chat, a poll", chat, |body| {
            body["message_list"].is_array()
        })),
        social(read("friends", "relation/friend/list", friends, |body| {
            entries(body, "user_list") == FRIENDS
        })),
        social(read("following", "feed/following", following, |body| {
            entries(body, "video_list") == FEED
        })),
        write("like", "like, unlike", like, |_| true),
        social(write("follow", "follow, unfollow", follow, |_| true)),
        social(write("message", "message", message, |_| true)),
        write("comment", "comment", comment, |body| {
            body["comment"]["user"]["name"].is_string()
        }),
    ]
}

type Request = fn(&Scene, usize, &mut Vec<u8>);

fn read(
    key: &'static str,
    name: &'static str,
    request: Request,
    is_whole: fn(&Value) -> bool,
) -> Route {
    Route {
        key,
        name,
        request,
        is_whole,
        writes: false,
        of_grown: false,
        is_social: false,
    }
}

fn write(
    key: &'static str,
    name: &'static str,
    request: Request,
    is_whole: fn(&Value) -> bool,
) -> Route {
    Route {
        writes: true,
        ..read(key, name, request, is_whole)
    }
}

fn social(route: Route) -> Route {
    Route {
        is_social: true,
        ..route
    }
}

fn entries(body: &Value, list: &str) -> usize {
    body[list].as_array().map_or(0, Vec::len)
}

/// A request without a body.
pub fn get(path: std::fmt::Arguments<'_>, request: &mut Vec<u8>) {
    bare("GET", path, request);
}

fn bare(method: &str, path: std::fmt::Arguments<'_>, request: &mut Vec<u8>) {
    let length = if method == "POST" {
        "content-length: 0\r\n"
    } else {
        ""
    };
    write!(
        request,
        "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n{length}\r\n"
    )
    .expect("a vector takes all bytes");
}

fn feed(_: &Scene, _: usize, request: &mut Vec<u8>) {
    get(format_args!("/douyin/feed/"), request);
}

fn feed_of_viewers(scene: &Scene, client: usize, request: &mut Vec<u8>) {
    let token = scene.viewer(client, scene.turn(client)).1;
    get(format_args!("/douyin/feed/?token={token}"), request);
}

fn user(scene: &Scene, client: usize, request: &mut Vec<u8>) {
    let turn = scene.turn(client);
    let (user_id, token) = (scene.user(client + turn), scene.viewer(client, turn).1);
    get(
        format_args!("/douyin/user/?user_id={user_id}&token={token}"),
        request,
    );
}

fn works(scene: &Scene, _: usize, request: &mut Vec<u8>) {
    let author = scene.author();
    get(
        format_args!("/douyin/publish/list/?user_id={author}"),
        request,
    );
}

fn favorites(scene: &Scene, client: usize, request: &mut Vec<u8>) {
    let user_id = scene.user(client + scene.turn(client));
    get(
        format_args!("/douyin/favorite/list/?user_id={user_id}"),
        request,
    );
}

fn heavy_favorites(scene: &Scene, _: usize, request: &mut Vec<u8>) {
    let user_id = scene.heavy_user;
    get(
        format_args!("/douyin/favorite/list/?user_id={user_id}"),
        request,
    );
}

fn comments_hot(scene: &Scene, _: usize, request: &mut Vec<u8>) {
    let video_id = scene.hot_list();
    get(
        format_args!("/douyin/comment/list/?video_id={video_id}"),
        request,
    );
}

fn comments_cold(scene: &Scene, client: usize, request: &mut Vec<u8>) {
    let video_id = scene.cold_list(client, scene.turn(client));
    get(
        format_args!("/douyin/comment/list/?video_id={video_id}"),
        request,
    );
}

/// Each changes something: a like, and in the next turn its end.
fn like(scene: &Scene, client: usize, request: &mut Vec<u8>) {
    let turn = scene.like_turn(client);
    let (token, video_id) = (scene.liker(client), scene.feed_video(client + turn / 2));
    let action = 1 + turn % 2;
    let path = "/douyin/favorite/action/";
    bare(
        "POST",
        format_args!("{path}?token={token}&video_id={video_id}&action_type={action}"),
        request,
    );
}

/// Under the videos of the feed: the lists that are measured keep their length.
fn comment(scene: &Scene, client: usize, request: &mut Vec<u8>) {
    let video_id = scene.feed_video(client + scene.turn(client));
    let token = scene.liker(client);
    let path = "/douyin/comment/action/";
    bare(
        "POST",
        format_args!(
            "{path}?token={token}&video_id={video_id}&action_type=1&comment_text=How%20nice!"
        ),
        request,
    );
}

/// With nothing new to tell, as most polls.
fn chat(scene: &Scene, client: usize, request: &mut Vec<u8>) {
    let turn = scene.turn(client);
    let (token, friend) = (scene.viewer(client, turn).1, scene.user(turn % FRIENDS));
    let path = "/douyin/message/chat/";
    let newest = scene.newest_message;
    get(
        format_args!("{path}?token={token}&to_user_id={friend}&pre_msg_time={newest}"),
        request,
    );
}

fn friends(scene: &Scene, client: usize, request: &mut Vec<u8>) {
    let token = scene.viewer(client, scene.turn(client)).1;
    get(
        format_args!("/douyin/relation/friend/list/?token={token}"),
        request,
    );
}

fn following(scene: &Scene, client: usize, request: &mut Vec<u8>) {
    let token = scene.viewer(client, scene.turn(client)).1;
    get(
        format_args!("/douyin/feed/following/?token={token}"),
        request,
    );
}

/// Each changes something, as a like does.
fn follow(scene: &Scene, client: usize, request: &mut Vec<u8>) {
    let turn = scene.like_turn(client);
    let (token, other) = (scene.liker(client), scene.other_viewer(client, turn / 2));
    let action = 1 + turn % 2;
    let path = "/douyin/relation/action/";
    bare(
        "POST",
        format_args!("{path}?token={token}&to_user_id={other}&action_type={action}"),
        request,
    );
}

/// To others than the friends: the chats that are measured keep their length.
fn message(scene: &Scene, client: usize, request: &mut Vec<u8>) {
    let other = scene.other_viewer(client, scene.turn(client));
    let token = scene.liker(client);
    let path = "/douyin/message/action/";
    bare(
        "POST",
        format_args!("{path}?token={token}&to_user_id={other}&action_type=1&content=Hello!"),
        request,
    );
}
