//! Texts with rules of the interfaces: lengths and patterns are those of `idl::RULES`, so they stand in one place.

use serde_json::{Value, json};
use unicode_normalization::UnicodeNormalization as _;
use utoipa::openapi::{KnownFormat, ObjectBuilder, SchemaFormat};

use super::string;
use crate::{
    error::ApiError,
    i18n::Rule,
    params::{
        parameter::{Parameter, ParameterLocation},
        values::{IDEMPOTENCY_KEY, Params},
    },
};

macro_rules! texts {
    ($($(#[$doc:meta])+ $type:ident: $strct:literal.$field:literal, $example:literal $(, read by $normalize:path)? $(, shown by $shown:path)?;)+) => {$(
        $(#[$doc])+
        #[derive(Clone, PartialEq, Eq)]
        pub struct $type(pub String);

        /// Without its content, which may be a password.
        impl std::fmt::Debug for $type {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(stringify!($type))
            }
        }

        impl Parameter for $type {
            fn read(params: &Params, name: &str) -> Result<Self, ApiError> {
                let text = params.text(name)?.to_owned();
                $(let text = $normalize(text);)?
                check(($strct, $field), name, &text)?;
                Ok(Self(text))
            }

            /// An empty text breaks the rule of its length.
            fn is_given(params: &Params, name: &str) -> bool {
                params.text(name).is_ok()
            }

            fn schema() -> ObjectBuilder {
                let schema = with_rules(string(), ($strct, $field));
                $(let schema = $shown(schema);)?
                schema
            }

            fn example() -> Value {
                json!($example)
            }
        }
    )+};
}

texts! {
    /// A user name that is to be registered.
    NewUsername: "RegisterRequest"."username", "newcomer", read by nfc;
    /// A password that is to be registered.
    NewPassword: "RegisterRequest"."password", "correct horse", shown by hidden;
    /// A password in place of another.
    ChangedPassword: "ChangePasswordRequest"."new_password", "correct horse battery", shown by hidden;
    /// A user name at login.
    Username: "LoginRequest"."username", "newcomer", read by nfc;
    /// A password at login.
    Password: "LoginRequest"."password", "correct horse", shown by hidden;
    /// The title of a video, without the white space at its edges.
    Title: "PublishRequest"."title", "My first film", read by trimmed;
    /// What a user says of themself.
    Signature: "SetProfileRequest"."signature", "Hello!";
    /// The text of a comment, without the white space at its edges.
    CommentText: "AddCommentRequest"."content", "Nice!", read by trimmed;
    /// The text of a message, without the white space at its edges.
    MessageText: "SendMessageRequest"."content", "Hello!", read by trimmed;
}

/// A name in NFC. Its length is counted, and its owner found, in one form.
fn nfc(text: String) -> String {
    text.nfc().collect()
}

fn trimmed(text: String) -> String {
    text.trim().to_owned()
}

/// The schema of a text that nobody may see while it is typed.
fn hidden(schema: ObjectBuilder) -> ObjectBuilder {
    schema.format(Some(SchemaFormat::KnownFormat(KnownFormat::Password)))
}

/// Checks a text against the rules of a struct's field in the interfaces; `name` is what the contract calls it.
fn check((strct, field): (&str, &str), name: &str, text: &str) -> Result<(), ApiError> {
    match idl::validate_text(strct, field, text) {
        Ok(()) => Ok(()),
        Err(error) => Err(ApiError::bad_parameter(name, Rule::Interface(error))),
    }
}

/// A schema with the lengths and the pattern of those rules. A limit in bytes is none of characters, but a minimum of one is.
fn with_rules(schema: ObjectBuilder, (strct, field): (&str, &str)) -> ObjectBuilder {
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

/// Where the interfaces have the rule of the key.
const IDEMPOTENCY_KEY_RULES: (&str, &str) = ("PublishRequest", "idempotency_key");

/// What a client sends in that header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(pub String);

impl Parameter for IdempotencyKey {
    const LOCATION: ParameterLocation = ParameterLocation::Header(IDEMPOTENCY_KEY);

    fn read(params: &Params, _: &str) -> Result<Self, ApiError> {
        let value = params.idempotency_key();
        let value = value.ok_or_else(|| ApiError::missing(IDEMPOTENCY_KEY))?;
        let not_ascii = |_| ApiError::bad_parameter(IDEMPOTENCY_KEY, Rule::NotAscii);
        let key = value.to_str().map_err(not_ascii)?;
        check(IDEMPOTENCY_KEY_RULES, IDEMPOTENCY_KEY, key)?;
        Ok(Self(key.to_owned()))
    }

    fn is_given(params: &Params, _: &str) -> bool {
        params.idempotency_key().is_some()
    }

    fn schema() -> ObjectBuilder {
        with_rules(string(), IDEMPOTENCY_KEY_RULES)
    }

    fn example() -> Value {
        Value::Null
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::read, *};

    #[test]
    fn a_text_keeps_the_rules_of_the_interfaces() {
        // In NFC this is one character.
        assert_eq!(read("a=e%CC%81"), Ok(NewUsername("\u{e9}".to_owned())));
        assert_eq!(read("a=12345"), Ok(NewPassword("12345".to_owned())));
        for (refused, rule) in [
            (read::<NewUsername>("").map(drop), "a: is missing"),
            (read::<NewUsername>("a=").map(drop), "at least 1 character"),
            (
                read::<NewUsername>("a=+x").map(drop),
                "no white space at its start or end",
            ),
            (
                read::<NewUsername>("a=x%07").map(drop),
                "no control characters",
            ),
            (
                read::<NewPassword>("a=1234").map(drop),
                "at least 5 characters",
            ),
            (read::<Username>("a=").map(drop), "at least 1 byte"),
            (
                read::<Option<Title>>("a=").map(drop),
                "at least 1 character",
            ),
        ] {
            let refused = refused.unwrap_err();
            assert!(refused.ends_with(rule), "{rule}: {refused}");
        }
        assert_eq!(read("b="), Ok(None::<Title>));
    }

    #[test]
    fn a_text_shows_nothing_of_itself_in_a_log() {
        let password: Password = read("a=geheim").unwrap();
        assert_eq!(format!("{password:?}"), "Password");
    }
}
