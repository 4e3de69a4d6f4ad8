//! Replies in protobuf against the same in JSON.

use serde_json::{Value as Json, json};

use super::*;
use crate::{protobuf::decode::to_json, routes::routes};

/// What every route answers, in both forms: each field of the JSON is in the message, with the same value.
#[test]
fn both_forms_of_every_reply_are_equal() {
    for route in routes() {
        let message = idl::proto::reply_of(route.path);
        assert_ne!(
            message.name, "douyin_response",
            "{} has no message",
            route.path
        );
        let mut json = (route.content)().example;
        json["status_code"] = json!(0);
        json["status_msg"] = json!("success");
        let back = to_json(&encode(&json, message), message).unwrap();
        assert_eq!(
            without_defaults(&back),
            without_defaults(&as_text(&json, message)),
            "{}",
            route.path
        );
    }
}

/// A message's time is text there.
fn as_text(json: &Json, message: &'static Message) -> Json {
    let Json::Object(members) = json else {
        return json.clone();
    };
    let members = members.iter().map(|(name, value)| {
        let field = message.fields.iter().find(|field| field.name == name);
        let field =
            field.unwrap_or_else(|| panic!("{}.{name} is not in douyin.proto", message.name));
        let value = match (field.kind, value) {
            (Kind::Text, Json::Number(number)) => json!(number.to_string()),
            (Kind::Message(_), Json::Array(items)) => {
                let inner = field.kind.message().unwrap();
                items.iter().map(|item| as_text(item, inner)).collect()
            }
            (Kind::Message(_), value) => as_text(value, field.kind.message().unwrap()),
            _ => value.clone(),
        };
        (name.clone(), value)
    });
    Json::Object(members.collect())
}

/// An empty list has no form in protobuf.
fn without_defaults(json: &Json) -> Json {
    match json {
        Json::Object(members) => {
            let members = members
                .iter()
                .filter(|(_, value)| **value != json!([]) && !value.is_null());
            Json::Object(
                members
                    .map(|(name, value)| (name.clone(), without_defaults(value)))
                    .collect(),
            )
        }
        Json::Array(items) => items.iter().map(without_defaults).collect(),
        other => other.clone(),
    }
}

#[test]
fn a_failure_has_what_is_required_empty_and_generated_decoders_take_it() {
    use pilota::pb::Message as _;

    let failed = json!({"status_code": 10006, "status_msg": "no such user"});
    let sent = encode(&failed, idl::proto::reply_of("/douyin/user/"));
    let read = idl::douyin::DouyinUserResponse::decode(bytes::Bytes::from(sent)).unwrap();
    assert_eq!((read.status_code, read.user.id), (10006, 0));
}

#[test]
fn a_flattened_reply_is_written_as_a_plain_one() {
    let message = idl::proto::reply_of("/douyin/feed/");
    let page = crate::objects::FeedPage {
        video_list: vec![crate::objects::Video::example()],
        next_time: 7,
    };
    let plain = encode(&page, message);
    let flat = encode(
        &crate::response::Envelope {
            status_code: 0,
            status_msg: "success",
            content: &page,
        },
        message,
    );
    let json = |sent: &[u8]| to_json(sent, message).unwrap();
    assert_eq!(json(&flat)["video_list"], json(&plain)["video_list"]);
    assert_eq!(json(&flat)["next_time"], 7);
}
