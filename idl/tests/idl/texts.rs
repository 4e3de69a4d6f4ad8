//! `validate_text` gives a text the same verdict as the validator of its struct.

use idl::{
    Validate, ValidateError,
    comment::AddCommentRequest,
    user::{LoginRequest, RegisterRequest},
    validate_text,
    video::PublishRequest,
};

/// At, below and above each length that a rule names, and with each character that one refuses.
fn texts() -> Vec<String> {
    let mut texts: Vec<String> = ["a", "é", "字", "👩‍👩‍👧"]
        .into_iter()
        .flat_map(|unit| {
            [
                0, 1, 4, 5, 18, 19, 24, 25, 32, 33, 72, 73, 100, 101, 255, 256, 500, 501,
            ]
            .map(|count| unit.repeat(count))
        })
        .collect();
    texts.extend(
        [
            " ",
            "a ",
            " a",
            "\u{3000}a",
            "a\u{0}",
            "a\u{7f}",
            "a\u{202e}b",
            "\t",
            "a b",
            "0123456789abcdef",
            "a\nb",
        ]
        .map(str::to_owned),
    );
    texts.push("0123456789abcdef".repeat(4));
    texts.push("0123456789ABCDEF".repeat(4));
    texts
}

/// Judges all texts alone and in the struct, whose other fields keep their rules.
fn agrees(strct: &str, field: &str, in_struct: impl Fn(&str) -> Result<(), ValidateError>) {
    let mut seen = [false; 2];
    for text in texts() {
        let alone = validate_text(strct, field, &text);
        assert_eq!(alone, in_struct(&text), "{strct}.{field}: {text:?}");
        seen[usize::from(alone.is_ok())] = true;
    }
    assert_eq!(
        seen,
        [true, true],
        "{strct}.{field}: one kind of text is missing"
    );
}

#[test]
fn a_text_is_judged_alone_as_in_its_struct() {
    agrees("RegisterRequest", "username", |text| {
        let username = text.to_owned().into();
        RegisterRequest {
            username,
            password: "a password".into(),
        }
        .validate()
    });
    agrees("RegisterRequest", "password", |text| {
        let password = text.to_owned().into();
        RegisterRequest {
            username: "a name".into(),
            password,
        }
        .validate()
    });
    agrees("LoginRequest", "password", |text| {
        let password = text.to_owned().into();
        LoginRequest {
            username: "a name".into(),
            password,
        }
        .validate()
    });
    let comment = AddCommentRequest {
        user_id: 1,
        video_id: 1,
        content: "a text".into(),
        ..AddCommentRequest::default()
    };
    agrees("AddCommentRequest", "content", |text| {
        let content = text.to_owned().into();
        let request = comment.clone();
        AddCommentRequest { content, ..request }.validate()
    });
    agrees("AddCommentRequest", "idempotency_key", |text| {
        let idempotency_key = Some(text.to_owned().into());
        let request = comment.clone();
        AddCommentRequest {
            idempotency_key,
            ..request
        }
        .validate()
    });
    let publish = PublishRequest {
        author_id: 1,
        object_key: "a key".into(),
        title: "a title".into(),
        size_bytes: 1,
        sha256: "0".repeat(64).into(),
        ..PublishRequest::default()
    };
    agrees("PublishRequest", "title", |text| {
        let title = text.to_owned().into();
        let request = publish.clone();
        PublishRequest { title, ..request }.validate()
    });
    agrees("PublishRequest", "sha256", |text| {
        let sha256 = text.to_owned().into();
        let request = publish.clone();
        PublishRequest { sha256, ..request }.validate()
    });
}
