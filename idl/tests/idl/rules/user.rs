//! The methods and rules of user.thrift: a valid request of each method, and both sides of each rule.

use idl::{Rule, user::*};
use volo_thrift::{ClientError, ServerError};

use super::{
    edges::{Edge, at_least, bytes, chars, edge, ids, not_empty, page_size},
    servers::{Clients, Handler, Rpc, interface, text},
};

interface! {
    UserService user {
        register(RegisterRequest { username: text("a", 1), password: text("p", 5) }) -> RegisterResponse;
        change_password(ChangePasswordRequest { user_id: 1, password: text("p", 1), new_password: text("p", 5) })
            -> ChangePasswordResponse;
        end_sessions(EndSessionsRequest { user_id: 1 }) -> EndSessionsResponse;
        delete_account(DeleteAccountRequest { user_id: 1, password: text("p", 1) }) -> DeleteAccountResponse;
        suspend_user(SuspendUserRequest { user_id: 1, suspended: true, reason: text("r", 1) }) -> SuspendUserResponse;
        set_block(SetBlockRequest { user_id: 1, blocked_id: 2, blocked: true }) -> SetBlockResponse;
        list_blocks(ListBlocksRequest { user_id: 1, before: None, limit: 1 }) -> ListBlocksResponse;
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
    all.extend([
        at_least("user_id", 1, |r: &mut ChangePasswordRequest, v| {
            r.user_id = v
        }),
        edge(
            "password",
            Rule::MinBytes,
            text("p", 1),
            text("", 0),
            |r: &mut ChangePasswordRequest, v| r.password = v,
        ),
        edge(
            "new_password",
            Rule::MaxBytes,
            text("密", 24),
            text("密", 25),
            |r: &mut ChangePasswordRequest, v| r.new_password = v,
        ),
        at_least("user_id", 1, |r: &mut EndSessionsRequest, v| r.user_id = v),
        at_least("user_id", 1, |r: &mut DeleteAccountRequest, v| {
            r.user_id = v
        }),
        edge(
            "password",
            Rule::MinBytes,
            text("p", 1),
            text("", 0),
            |r: &mut DeleteAccountRequest, v| r.password = v,
        ),
        at_least("user_id", 1, |r: &mut SuspendUserRequest, v| r.user_id = v),
        at_least("user_id", 1, |r: &mut SetBlockRequest, v| r.user_id = v),
        at_least("blocked_id", 1, |r: &mut SetBlockRequest, v| {
            r.blocked_id = v
        }),
        at_least("user_id", 1, |r: &mut ListBlocksRequest, v| r.user_id = v),
        at_least("before", 1, |r: &mut ListBlocksRequest, v| {
            r.before = Some(v)
        }),
    ]);
    all.extend(page_size(300, |r: &mut ListBlocksRequest, v| r.limit = v));
    all.extend(chars(
        "new_password",
        5,
        32,
        |r: &mut ChangePasswordRequest, v| r.new_password = v,
    ));
    all.extend(chars("reason", 1, 500, |r: &mut SuspendUserRequest, v| {
        r.reason = v
    }));
    all.extend(chars("username", 1, 32, name));
    all.extend(chars("password", 5, 32, password));
    all.extend(ids("user_ids", "user_ids[]", users));
    all
}
