//! The types of the contract's parameters: what each accepts, how it refuses, how the document shows it.
//!
//! Those with rules of the interfaces are in `texts`.

mod texts;

use serde_json::{Value, json};
use utoipa::openapi::{
    KnownFormat, ObjectBuilder, SchemaFormat,
    schema::{SchemaType, Type},
};

use super::{
    parameter::{Declared, Parameter, ParameterLocation},
    values::{Params, TOKEN},
};
use crate::{error::ApiError, i18n::Rule};
pub use texts::{
    ChangedPassword, CommentText, IdempotencyKey, MessageText, NewPassword, NewUsername, Password,
    Signature, Title, Username,
};

/// A string in JSON that stands for a whole number.
const DIGITS: Option<&str> = Some("^[0-9]{1,15}$");

fn string() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::Type(Type::String))
}

fn integer() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::Type(Type::Integer))
}

fn int64(minimum: i64) -> ObjectBuilder {
    let format = SchemaFormat::KnownFormat(KnownFormat::Int64);
    integer().format(Some(format)).minimum(Some(minimum))
}

macro_rules! ids {
    ($($(#[$doc:meta])+ $type:ident)+) => {$(
        $(#[$doc])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $type(pub i64);

        impl Parameter for $type {
            const JSON_STRING: Option<&'static str> = DIGITS;

            fn read(params: &Params, name: &str) -> Result<Self, ApiError> {
                params.id(name).map(Self)
            }

            fn schema() -> ObjectBuilder {
                int64(1)
            }

            fn example() -> Value {
                json!(1)
            }
        }
    )+};
}

ids! {
    /// The id of a user.
    UserId
    /// The id of a video.
    VideoId
    /// The id of a comment.
    CommentId
    /// A cursor in a list's order: the page behind it is asked for.
    Before
}

/// An action that switches something on (1) or off (2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// 1
    On,
    /// 2
    Off,
}

impl Parameter for Switch {
    const JSON_STRING: Option<&'static str> = Some("^[12]$");

    fn read(params: &Params, name: &str) -> Result<Self, ApiError> {
        match params.whole(name)? {
            1 => Ok(Self::On),
            2 => Ok(Self::Off),
            _ => Err(ApiError::bad_parameter(name, Rule::OneOrTwo)),
        }
    }

    fn schema() -> ObjectBuilder {
        integer().enum_values(Some([1, 2]))
    }

    fn example() -> Value {
        json!(1)
    }
}

/// An action that there is only one of: 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnlyAction;

impl Parameter for OnlyAction {
    const JSON_STRING: Option<&'static str> = Some("^1$");

    fn read(params: &Params, name: &str) -> Result<Self, ApiError> {
        match params.whole(name)? {
            1 => Ok(Self),
            _ => Err(ApiError::bad_parameter(name, Rule::One)),
        }
    }

    fn schema() -> ObjectBuilder {
        integer().enum_values(Some([1]))
    }

    fn example() -> Value {
        json!(1)
    }
}

/// A moment in UTC milliseconds, after which something is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AfterTime(pub i64);

impl Parameter for AfterTime {
    const JSON_STRING: Option<&'static str> = DIGITS;

    fn read(params: &Params, name: &str) -> Result<Self, ApiError> {
        match params.whole(name)? {
            time if time < 0 => Err(ApiError::bad_parameter(name, Rule::Negative)),
            time => Ok(Self(time)),
        }
    }

    fn schema() -> ObjectBuilder {
        int64(0)
    }

    fn example() -> Value {
        json!(1_735_689_600_000_i64)
    }
}

/// Above this, `latest_time` is in milliseconds: as seconds it would lie beyond the year 5000.
const MAX_SECONDS: i64 = 100_000_000_000;

/// The time before which videos are asked for, in seconds or milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LatestTime {
    /// The exclusive bound in UTC milliseconds. None: no bound.
    pub before_ms: Option<i64>,
}

impl LatestTime {
    /// Seconds mean the end of that second, 0 means no bound.
    fn new(number: i64, name: &str) -> Result<Self, ApiError> {
        let before_ms = match number {
            0 => None,
            time if time < 0 => return Err(ApiError::bad_parameter(name, Rule::Negative)),
            seconds if seconds <= MAX_SECONDS => Some((seconds + 1) * 1000),
            ms => Some(ms),
        };
        Ok(Self { before_ms })
    }
}

impl Parameter for LatestTime {
    const REQUIRED: bool = false;
    const JSON_STRING: Option<&'static str> = DIGITS;

    fn read(params: &Params, name: &str) -> Result<Self, ApiError> {
        match Self::is_given(params, name) {
            true => Self::new(params.whole(name)?, name),
            false => Ok(Self { before_ms: None }),
        }
    }

    fn schema() -> ObjectBuilder {
        int64(0)
    }

    fn example() -> Value {
        json!(1_735_689_600_000_i64)
    }
}

/// A file in a multipart body. The route reads it itself, as it comes.
#[derive(Debug, Clone, Copy)]
pub struct File;

impl Parameter for File {
    const LOCATION: ParameterLocation = ParameterLocation::File;

    fn read(_: &Params, _: &str) -> Result<Self, ApiError> {
        Ok(Self)
    }

    fn schema() -> ObjectBuilder {
        string()
            .content_media_type("application/octet-stream")
            .content_encoding("binary")
    }

    fn example() -> Value {
        Value::Null
    }
}

/// The token as a parameter. [`Auth`](crate::call::Auth) reads it.
#[derive(Debug, Clone, Copy)]
pub struct Token;

/// How every route that takes a token documents it in a body. In the query it is a security scheme.
pub const TOKEN_PARAMETER: Declared = Declared::of::<Token>(
    TOKEN,
    "As register or login gave it. Wins over `Authorization: Bearer`; an empty one counts as missing.",
);

impl Parameter for Token {
    const REQUIRED: bool = false;

    fn read(_: &Params, _: &str) -> Result<Self, ApiError> {
        Ok(Self)
    }

    fn schema() -> ObjectBuilder {
        string()
    }

    fn example() -> Value {
        json!(EXAMPLE_TOKEN)
    }
}

/// A token in the document's examples.
pub const EXAMPLE_TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl";

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn read<P: Parameter>(query: &str) -> Result<P, String> {
        let params = Params::from_query(query).unwrap();
        P::read(&params, "a").map_err(|error| error.to_string())
    }

    #[test]
    fn latest_time_is_seconds_or_milliseconds() {
        for (query, before_ms) in [
            ("", None),
            ("a=", None),
            ("a=0", None),
            ("a=1", Some(2_000)),
            ("a=1700000000", Some(1_700_000_001_000)),
            ("a=1700000000123", Some(1_700_000_000_123)),
            ("a=9223372036854775807", Some(i64::MAX)),
        ] {
            assert_eq!(read(query), Ok(LatestTime { before_ms }), "{query}");
        }
        let refused = read::<LatestTime>("a=-1").unwrap_err();
        assert!(refused.ends_with("a: must not be negative"), "{refused}");
    }

    #[test]
    fn an_id_is_a_whole_number_from_1_up() {
        assert_eq!(read("a=42.0"), Ok(VideoId(42)));
        assert_eq!(read("a=1e+3"), Ok(Some(VideoId(1000))));
        for absent in ["", "a="] {
            assert_eq!(read(absent), Ok(None::<VideoId>));
            let refused = read::<VideoId>(absent).unwrap_err();
            assert!(refused.ends_with("a: is missing"), "{refused}");
        }
        for (query, rule) in [
            ("a=0", "must be at least 1"),
            ("a=-1", "must be at least 1"),
            ("a=1.5", "must be a whole number"),
            ("a=x", "is not a number"),
        ] {
            for refused in [
                read::<VideoId>(query).map(Some),
                read::<Option<VideoId>>(query),
            ] {
                let refused = refused.unwrap_err();
                assert!(refused.ends_with(rule), "{query}: {refused}");
            }
        }
    }

    #[test]
    fn a_switch_is_1_or_2() {
        assert_eq!(read("a=1"), Ok(Switch::On));
        assert_eq!(read("a=2.0"), Ok(Switch::Off));
        for (query, rule) in [
            ("", "a: is missing"),
            ("a=0", "a: must be 1 or 2"),
            ("a=3", "a: must be 1 or 2"),
        ] {
            let refused = read::<Switch>(query).unwrap_err();
            assert!(refused.ends_with(rule), "{query}: {refused}");
        }
    }

    #[test]
    fn what_is_conditional_is_refused_only_when_it_is_needed() {
        type Id = super::super::parameter::Conditional<CommentId>;
        assert!(read::<Id>("a=x").unwrap().required().is_err());
        assert!(read::<Id>("a=x").unwrap().optional().is_err());
        assert!(read::<Id>("").unwrap().required().is_err());
        assert_eq!(read::<Id>("").unwrap().optional().unwrap(), None);
        assert_eq!(read::<Id>("a=7").unwrap().required().unwrap().0, 7);
    }
}
