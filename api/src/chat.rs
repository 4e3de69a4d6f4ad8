//! Messages and friends as JSON. Every field is always sent, also when it is empty or zero.

use std::borrow::Cow;

use serde::Serialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, schema::Type},
};

use crate::objects::{EXAMPLE_TIME_MS, User};

/// A message between two users.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Message {
    #[schema(minimum = 1)]
    id: i64,
    #[schema(minimum = 1)]
    to_user_id: i64,
    #[schema(minimum = 1)]
    from_user_id: i64,
    #[schema(min_length = 1, max_length = 500)]
    content: String,
    /// UTC milliseconds; no two messages between the same two users have the same.
    create_time: i64,
}

impl Message {
    /// As the service gave it.
    pub fn new(message: idl::message::Message) -> Self {
        Self {
            id: message.id,
            to_user_id: message.to_user_id,
            from_user_id: message.from_user_id,
            content: message.content.to_string(),
            create_time: message.created_ms,
        }
    }

    /// As the document's examples show it.
    pub fn example() -> Self {
        Self {
            id: 1,
            to_user_id: 2,
            from_user_id: 1,
            content: "Hello!".to_owned(),
            create_time: EXAMPLE_TIME_MS,
        }
    }
}

/// A page of a chat.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MessagePage {
    /// Oldest first.
    #[schema(max_items = 300)]
    pub message_list: Vec<Message>,
    /// With `pre_msg_time`: whether later ones follow; without: whether earlier ones precede. An addition of ours.
    pub has_more: bool,
    /// Without `pre_msg_time`: the `before` of the page of earlier messages; 0 when there are none. An addition of ours.
    #[schema(minimum = 0)]
    pub next_before: i64,
}

/// A friend, with the latest message between the two.
#[derive(Debug, Clone, Serialize)]
pub struct FriendUser {
    /// Who.
    #[serde(flatten)]
    pub user: User,
    /// The latest message; empty if there is none.
    pub message: String,
    /// 0: it was received by the one who asks; 1: they have sent it.
    #[serde(rename = "msgType")]
    pub msg_type: i64,
}

impl FriendUser {
    /// As the document's examples show it.
    pub fn example() -> Self {
        let mut user = User::example();
        user.set_follow(true);
        Self {
            user,
            message: "Hello!".to_owned(),
            msg_type: 1,
        }
    }
}

/// All fields of a user and two more, in one object, so that a test can find a missing or an unknown field.
impl PartialSchema for FriendUser {
    fn schema() -> RefOr<Schema> {
        let RefOr::T(Schema::Object(mut object)) = User::schema() else {
            return User::schema();
        };
        object.description = Some("A friend, with the latest message between the two.".to_owned());
        let message = ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("The latest message; empty if there is none."));
        let msg_type = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .enum_values(Some([0, 1]))
            .description(Some(
                "0: it was received by the one who asks; 1: they have sent it.",
            ));
        for (name, schema) in [("message", message), ("msgType", msg_type)] {
            object.properties.insert(name.to_owned(), schema.into());
            object.required.push(name.to_owned());
        }
        RefOr::T(Schema::Object(object))
    }
}

impl ToSchema for FriendUser {
    fn name() -> Cow<'static, str> {
        "FriendUser".into()
    }
}

/// A page of a list of friends.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FriendPage {
    /// Latest message first; then those without, latest follow first.
    #[schema(max_items = 300)]
    pub user_list: Vec<FriendUser>,
    /// Whether more follows after the last; an addition of ours.
    pub has_more: bool,
    /// The next page's `before`. 0 when nothing follows.
    #[schema(minimum = 0)]
    pub next_before: i64,
}
