//! Assertions on the contract's objects: every field is there, with its type and meaning.

use serde_json::Value;

#[derive(Debug, Clone, Copy)]
enum Kind {
    Int,
    Text,
    Bool,
    Object,
    List,
}

use Kind::{Bool, Int, List, Object, Text};

fn check(object: &Value, fields: &[(&str, Kind)]) {
    for (name, kind) in fields {
        let value = object
            .get(name)
            .unwrap_or_else(|| panic!("no {name} in {object:#}"));
        let holds = match kind {
            Int => value.is_i64(),
            Text => value.is_string(),
            Bool => value.is_boolean(),
            Object => value.is_object(),
            List => value.is_array(),
        };
        assert!(holds, "{name} should be {kind:?}: {object:#}");
    }
}

/// What every reply has.
pub fn assert_reply(reply: &Value) {
    check(reply, &[("status_code", Int), ("status_msg", Text)]);
}

/// A successful register or login.
pub fn assert_session(reply: &Value) {
    assert_reply(reply);
    check(reply, &[("user_id", Int), ("token", Text)]);
    assert!(reply["user_id"].as_i64().unwrap() >= 1, "{reply}");
    assert!(!reply["token"].as_str().unwrap().is_empty(), "{reply}");
}

/// A failed register or login.
pub fn assert_no_session(reply: &Value) {
    assert_reply(reply);
    assert_eq!(reply["user_id"], 0, "{reply}");
    assert_eq!(reply["token"], "", "{reply}");
}

pub fn assert_user(user: &Value) {
    check(
        user,
        &[
            ("id", Int),
            ("user_id", Int),
            ("name", Text),
            ("follow_count", Int),
            ("follower_count", Int),
            ("is_follow", Bool),
            ("avatar", Text),
            ("background_image", Text),
            ("signature", Text),
            ("total_favorited", Int),
            ("work_count", Int),
            ("favorite_count", Int),
        ],
    );
    assert_eq!(user["id"], user["user_id"], "{user:#}");
    let id = user["id"].as_i64().unwrap();
    assert!((1..1 << 53).contains(&id), "{user:#}");
}

pub fn assert_video(video: &Value) {
    check(
        video,
        &[
            ("id", Int),
            ("author", Object),
            ("play_url", Text),
            ("cover_url", Text),
            ("favorite_count", Int),
            ("comment_count", Int),
            ("is_favorite", Bool),
            ("title", Text),
            ("create_time", Int),
            ("state", Text),
            ("progress", Int),
            ("reason", Text),
            ("small_cover_url", Text),
            ("renditions", List),
            ("width", Int),
            ("height", Int),
            ("duration_ms", Int),
        ],
    );
    assert_user(&video["author"]);
    for url in ["play_url", "cover_url", "small_cover_url"] {
        assert!(
            video[url].as_str().unwrap().starts_with("http"),
            "{video:#}"
        );
    }
}

/// The videos of a feed page or a list, each checked.
pub fn videos(reply: &Value) -> Vec<Value> {
    assert_reply(reply);
    check(reply, &[("video_list", List)]);
    let videos = reply["video_list"].as_array().unwrap();
    videos.iter().for_each(assert_video);
    videos.clone()
}

/// The same value with the queries of presigned URLs cut off: the signatures in them change every half hour.
pub fn without_signatures(mut reply: Value) -> Value {
    match &mut reply {
        Value::String(text) => {
            if let Some(at) = text.find("?X-Amz-") {
                text.truncate(at);
            }
        }
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| *item = without_signatures(item.take())),
        Value::Object(members) => members
            .values_mut()
            .for_each(|member| *member = without_signatures(member.take())),
        _ => {}
    }
    reply
}

/// A feed page, checked: its videos and its `next_time`.
pub fn feed_page(reply: &Value) -> (Vec<Value>, i64) {
    check(reply, &[("next_time", Int)]);
    (videos(reply), reply["next_time"].as_i64().unwrap())
}

pub fn assert_comment(comment: &Value) {
    check(
        comment,
        &[
            ("id", Int),
            ("user", Object),
            ("content", Text),
            ("create_date", Text),
            ("create_time", Int),
        ],
    );
    assert_user(&comment["user"]);
    let date = comment["create_date"].as_str().unwrap();
    let is_date = date.len() == 5
        && date.bytes().enumerate().all(|(n, byte)| match n {
            2 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    assert!(is_date, "{date} is not mm-dd");
}

/// The comments of a list, each checked.
pub fn comments(reply: &Value) -> Vec<Value> {
    assert_reply(reply);
    check(
        reply,
        &[
            ("comment_list", List),
            ("has_more", Bool),
            ("next_before", Int),
        ],
    );
    let comments = reply["comment_list"].as_array().unwrap();
    comments.iter().for_each(assert_comment);
    comments.clone()
}

/// The comment that was just added, checked.
pub fn added(reply: &Value) -> Value {
    assert_reply(reply);
    check(reply, &[("comment", Object)]);
    assert_comment(&reply["comment"]);
    reply["comment"].clone()
}

const PAGE: [(&str, Kind); 2] = [("has_more", Bool), ("next_before", Int)];

/// The users of a list, each checked.
pub fn users(reply: &Value) -> Vec<Value> {
    assert_reply(reply);
    check(reply, &[("user_list", List)]);
    check(reply, &PAGE);
    let users = reply["user_list"].as_array().unwrap();
    users.iter().for_each(assert_user);
    users.clone()
}

/// The friends of a list, each checked.
pub fn friends(reply: &Value) -> Vec<Value> {
    let friends = users(reply);
    for friend in &friends {
        check(friend, &[("message", Text), ("msgType", Int)]);
        assert_eq!(friend["is_follow"], true, "{friend:#}");
    }
    friends
}

/// The messages of a chat, each checked; oldest first, no two of one time.
pub fn messages(reply: &Value) -> Vec<Value> {
    assert_reply(reply);
    check(reply, &[("message_list", List)]);
    check(reply, &PAGE);
    let messages = reply["message_list"].as_array().unwrap();
    for message in messages {
        check(
            message,
            &[
                ("id", Int),
                ("to_user_id", Int),
                ("from_user_id", Int),
                ("content", Text),
                ("create_time", Int),
            ],
        );
    }
    let times: Vec<i64> = messages
        .iter()
        .map(|message| message["create_time"].as_i64().unwrap())
        .collect();
    assert!(times.is_sorted_by(|a, b| a < b), "{times:?}");
    messages.clone()
}
