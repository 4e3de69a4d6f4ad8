//! The methods and rules of user.thrift: a valid request of each method, and both sides of each rule.

use idl::{Rule, user::*};
use volo_thrift::{ClientError, ServerError};

use super::{
    edges::{Edge, chars, edge, ids, not_empty},
    servers::{Clients, Handler, Rpc, interface, text},
};

interface! {
    UserService user {
        register(RegisterRequest { username: text("a", 1), password: text("p", 5) }) -> RegisterResponse;
        login(LoginRequest { username: text("a", 1), password: text("p", 1) }) -> LoginResponse;
        mget_users(MGetUsersRequest { user_ids: vec![1] }) -> MGetUsersResponse;
    }
}

/// Every rule of the file.
pub fn edges() -> Vec<Edge> {
    let name = |r: &mut RegisterRequest, v| r.username = v;
    let password = |r: &mut RegisterRequest, v| r.password = v;
    let users = |r: &mut MGetUsersRequest, v| r.user_ids = v;
    let mut all = vec![
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
    all.extend(chars("username", 1, 32, name));
    all.extend(chars("password", 5, 32, password));
    all.extend(ids("user_ids", "user_ids[]", users));
    all
}
