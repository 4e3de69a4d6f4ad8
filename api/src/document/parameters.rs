//! The parameters of the contract as the document shows them. Lengths and patterns come from the interfaces' own rules.

use serde_json::{Value, json};
use utoipa::openapi::{
    KnownFormat, ObjectBuilder, RefOr, Schema, SchemaFormat,
    schema::{AnyOfBuilder, Type},
};

/// A parameter, wherever it travels.
#[derive(Clone, Copy)]
pub struct Parameter {
    /// Its name in the contract.
    pub name: &'static str,
    /// Whether the route refuses a request that has it nowhere.
    pub required: bool,
    /// What it is for.
    pub about: &'static str,
    kind: Kind,
    example: &'static str,
}

#[derive(Clone, Copy)]
enum Kind {
    /// A text; its rules stand at this struct and field of the interfaces.
    Text(&'static str, &'static str),
    /// A text with no rule that a schema could tell.
    Plain,
    /// A text that nobody may look at.
    Password(&'static str),
    /// A whole number from this one up.
    Whole(i64),
    /// 1 or 2.
    OneOrTwo,
    /// Bytes.
    File,
}

const fn parameter(
    name: &'static str,
    kind: Kind,
    example: &'static str,
    about: &'static str,
) -> Parameter {
    Parameter {
        name,
        required: true,
        about,
        kind,
        example,
    }
}

const fn id(name: &'static str, about: &'static str) -> Parameter {
    parameter(name, Kind::Whole(1), "1", about)
}

impl Parameter {
    /// The same, where the route can do without.
    pub const fn optional(self) -> Self {
        Self {
            required: false,
            ..self
        }
    }
}

/// Where a token is a parameter of a body; in the query it is a security scheme.
pub const TOKEN: Parameter = parameter(
    "token",
    Kind::Plain,
    "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl",
    "As register or login gave it. Wins over `Authorization: Bearer`; an empty one counts as missing.",
)
.optional();
/// At register.
pub const NEW_NAME: Parameter = parameter(
    "username",
    Kind::Text("RegisterRequest", "username"),
    "newcomer",
    "1 to 32 characters, compared exactly in NFC; no white space at its ends, no control characters.",
);
/// At register.
pub const NEW_PASSWORD: Parameter = parameter(
    "password",
    Kind::Password("RegisterRequest"),
    "correct horse",
    "5 to 32 characters, at most 72 bytes.",
);
/// At login.
pub const NAME: Parameter = parameter(
    "username",
    Kind::Text("LoginRequest", "username"),
    "newcomer",
    "As registered.",
);
/// At login.
pub const PASSWORD: Parameter = parameter(
    "password",
    Kind::Password("LoginRequest"),
    "correct horse",
    "As registered.",
);
/// Of the feed.
pub const LATEST_TIME: Parameter = parameter(
    "latest_time",
    Kind::Whole(0),
    "1735689600000",
    "Only videos older than this: the `next_time` of the page before. Milliseconds, or (up to 1e11) seconds, which mean the end of that second; absent, empty or 0: the newest.",
)
.optional();
/// Whose profile or list.
pub const USER_ID: Parameter = id("user_id", "Whose; absent: the token's user.").optional();
/// Which video.
pub const VIDEO_ID: Parameter = id("video_id", "Which video.");
/// Like and unlike.
pub const LIKE_OR_NOT: Parameter = parameter(
    "action_type",
    Kind::OneOrTwo,
    "1",
    "1: like, 2: take the like back.",
);
/// Add and delete.
pub const ADD_OR_DELETE: Parameter =
    parameter("action_type", Kind::OneOrTwo, "1", "1: add, 2: delete.");
/// Of a comment that is added.
pub const COMMENT_TEXT: Parameter = parameter(
    "comment_text",
    Kind::Text("AddCommentRequest", "content"),
    "Nice!",
    "Required for `action_type` 1: 1 to 500 characters.",
)
.optional();
/// Of a comment that is deleted.
pub const COMMENT_ID: Parameter = id("comment_id", "Required for `action_type` 2.").optional();
/// Of every list.
pub const BEFORE: Parameter = id(
    "before",
    "Goes on from here: the last page's `next_before`. An addition of ours.",
)
.optional();
/// Of a publish.
pub const TITLE: Parameter = parameter(
    "title",
    Kind::Text("PublishRequest", "title"),
    "My first film",
    "1 to 100 characters.",
);
/// Of a publish.
pub const DATA: Parameter = parameter(
    "data",
    Kind::File,
    "",
    "The video: mp4, mov, webm or mkv, 1 byte to 200 MiB (settings).",
);

impl Parameter {
    /// For the query string and forms.
    pub fn schema(&self) -> ObjectBuilder {
        let number = |minimum: i64| {
            ObjectBuilder::new()
                .schema_type(Type::Integer)
                .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
                .minimum(Some(minimum))
        };
        let text = || ObjectBuilder::new().schema_type(Type::String);
        match self.kind {
            Kind::Text(strct, field) => ruled(text(), strct, field),
            Kind::Plain => text(),
            Kind::Password(strct) => ruled(text(), strct, "password")
                .format(Some(SchemaFormat::KnownFormat(KnownFormat::Password))),
            Kind::Whole(minimum) => number(minimum),
            Kind::OneOrTwo => ObjectBuilder::new()
                .schema_type(Type::Integer)
                .enum_values(Some([1, 2])),
            Kind::File => text()
                .content_media_type("application/octet-stream")
                .content_encoding("binary"),
        }
    }

    /// For JSON bodies, where a number may also be written as a string.
    pub fn json_schema(&self) -> RefOr<Schema> {
        match self.kind {
            Kind::Whole(_) | Kind::OneOrTwo => {
                let pattern = match self.kind {
                    Kind::OneOrTwo => "^[12]$",
                    _ => "^[0-9]{1,15}$",
                };
                let written = ObjectBuilder::new()
                    .schema_type(Type::String)
                    .pattern(Some(pattern));
                AnyOfBuilder::new()
                    .item(self.schema())
                    .item(written)
                    .description(Some(self.about))
                    .into()
            }
            _ => self.described(),
        }
    }

    /// [`schema`](Self::schema) with what it is for.
    pub fn described(&self) -> RefOr<Schema> {
        self.schema().description(Some(self.about)).into()
    }

    /// None for a file.
    pub fn example(&self) -> Option<Value> {
        match self.kind {
            Kind::File => None,
            Kind::Whole(_) | Kind::OneOrTwo => {
                Some(self.example.parse::<i64>().map_or(Value::Null, Value::from))
            }
            Kind::Text(..) | Kind::Plain | Kind::Password(_) => Some(json!(self.example)),
        }
    }
}

/// The lengths and the pattern that the interface asks for. A limit in bytes is none of characters, but a minimum of one is.
fn ruled(schema: ObjectBuilder, strct: &str, field: &str) -> ObjectBuilder {
    let rules = idl::RULES
        .iter()
        .filter(|entry| entry.strct == strct && entry.field == field);
    rules.fold(schema, |schema, entry| {
        let limit = entry.limit.parse().ok();
        match entry.rule {
            idl::Rule::MinChars | idl::Rule::MinBytes => schema.min_length(limit),
            idl::Rule::MaxChars => schema.max_length(limit),
            idl::Rule::Pattern => schema.pattern(Some(entry.limit)),
            _ => schema,
        }
    })
}

/// The schema of the `Idempotency-Key` header.
pub fn idempotency_key() -> ObjectBuilder {
    let text = ObjectBuilder::new().schema_type(Type::String);
    ruled(text, "PublishRequest", "idempotency_key")
}
