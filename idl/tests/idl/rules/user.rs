//! The methods and rules of user.thrift: a valid request of each method, and both sides of each rule.

use idl::{Rule, user::*};
use volo_thrift::{ClientError, ServerError};

use super::{
    edges::{Edge, at_least, bytes, chars, edge, ids, not_empty},
    servers::{Clients, Handler, Rpc, interface, text},
};

interface! {
    UserService user {
        register(RegisterRequest { username: text("a", 1), password: text("p", 5) }) -> RegisterResponse;
        add_picture(AddPictureRequest { user_id: 1, kind: PictureKind::AVATAR, content: vec![0].into() }) -> AddPictureResponse;
        set_profile(SetProfileRequest { user_id: 1, avatar_key: None, background_image_key: None, signature: None })
            -> SetProfileResponse;
        login(LoginRequest { username: text("a", 1), password: text("p", 1) }) -> LoginResponse;
        mget_users(MGetUsersRequest { user_ids: vec![1], with_changes: None }) -> MGetUsersResponse;
    }
}

/// Every rule of the file.
pub fn edges() -> Vec<Edge> {
    let name = |r: &mut RegisterRequest, v| r.username = v;
    let password = |r: &mut RegisterRequest, v| r.password = v;
    let users = |r: &mut MGetUsersRequest, v| r.user_ids = v;
    let content = |r: &mut AddPictureRequest, v: usize| r.content = vec![0; v].into();
    let mut all = vec![
        at_least("user_id", 1, |r: &mut AddPictureRequest, v| r.user_id = v),
        edge(
            "kind",
            Rule::DefinedOnly,
            PictureKind::BACKGROUND,
            3.into(),
            |r: &mut AddPictureRequest, v| r.kind = v,
        ),
        edge("content", Rule::MinBytes, 1, 0, content),
        edge("content", Rule::MaxBytes, 8 << 20, (8 << 20) + 1, content),
        at_least("user_id", 1, |r: &mut SetProfileRequest, v| r.user_id = v),
        edge(
            "signature",
            Rule::MaxChars,
            text("é", 200),
            text("é", 201),
            |r: &mut SetProfileRequest, v| r.signature = Some(v),
        ),
        edge(
            "signature",
            Rule::NoControl,
            text("é", 1),
            text("\u{7}", 1),
            |r: &mut SetProfileRequest, v| r.signature = Some(v),
        ),
        // A no-break space is white space too, but no control character.
        edge(
            "username",
            Rule::Trimmed,
            text("a\u{a0}b", 1),
            text("ab\u{a0}", 1),
            name,
        ),
        edge(
            "username",
            Rule::NoControl,
            text("a b", 1),
            text("a\u{7f}b", 1),
            name,
        ),
        edge(
            "password",
            Rule::MaxBytes,
            text("密", 24),
            text("密", 25),
            password,
        ),
        edge(
            "username",
            Rule::MinBytes,
            text(" ", 1),
            text("", 0),
            |r: &mut LoginRequest, v| r.username = v,
        ),
        edge(
            "password",
            Rule::MinBytes,
            text(" ", 1),
            text("", 0),
            |r: &mut LoginRequest, v| r.password = v,
        ),
        not_empty("user_ids", users),
    ];
    all.extend(bytes("avatar_key", 100, |r: &mut SetProfileRequest, v| {
        r.avatar_key = Some(v)
    }));
    all.extend(bytes(
        "background_image_key",
        100,
        |r: &mut SetProfileRequest, v| r.background_image_key = Some(v),
    ));
    all.extend(chars("username", 1, 32, name));
    all.extend(chars("password", 5, 32, password));
    all.extend(ids("user_ids", "user_ids[]", users));
    all
}
