//! The messages of douyin.proto as tables: what a reply or a request has to know of its fields to be written or read by their names.
//!
//! A program with types of its own for them uses those that pilota generates: [`crate::douyin`].

/// One message.
#[derive(Debug, PartialEq, Eq)]
pub struct Message {
    /// As the file has it.
    pub name: &'static str,
    /// In the order of the file.
    pub fields: &'static [Field],
}

/// A field of a message.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    /// As the file has it, which is its name in JSON.
    pub name: &'static str,
    /// On the wire.
    pub number: u32,
    /// What it holds.
    pub kind: Kind,
    /// How often it may be there.
    pub label: Label,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// int32, int64.
    Int,
    /// bool.
    Bool,
    /// string.
    Text,
    /// bytes.
    Bytes,
    /// A message, by its place in [`MESSAGES`].
    Message(usize),
}

/// How often a field is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// Once.
    Required,
    /// Once or not.
    Optional,
    /// Any number of times.
    Repeated,
}

include!(concat!(env!("OUT_DIR"), "/proto_table.rs"));

/// The file itself.
pub const FILE: &str = include_str!("../douyin.proto");

/// The message with this name.
pub fn message(name: &str) -> Option<&'static Message> {
    MESSAGES.iter().find(|message| message.name == name)
}

/// What the route at `path` is sent: "/douyin/user/login/" is sent `douyin_user_login_request`.
pub fn request_of(path: &str) -> Option<&'static Message> {
    of_route(path, "request")
}

/// What the route at `path` answers; of a path that is no route's: what every reply has.
pub fn reply_of(path: &str) -> &'static Message {
    of_route(path, "response")
        .or_else(|| message("douyin_response"))
        .unwrap_or(&NOTHING)
}

fn of_route(path: &str, suffix: &str) -> Option<&'static Message> {
    let words = path.split('/').filter(|word| !word.is_empty());
    let name: String = words.map(|word| format!("{word}_")).collect();
    message(&format!("{name}{suffix}"))
}

/// If the file lacked the message of every reply.
static NOTHING: Message = Message {
    name: "",
    fields: &[],
};

impl Kind {
    /// The message that a field holds.
    pub fn message(self) -> Option<&'static Message> {
        match self {
            Self::Message(place) => MESSAGES.get(place),
            _ => None,
        }
    }
}
