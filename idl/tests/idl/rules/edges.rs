//! For every rule of every .thrift file: a value that just keeps it and a value that just breaks it.

use std::{any::type_name, pin::Pin};

use idl::{Rule, comment::*, favorite::*, user::*, video::*};
use pilota::FastStr;
use volo_thrift::ClientError;

use super::servers::{Clients, Rpc, text};

type Call = Box<
    dyn for<'a> Fn(
        &'a Clients,
    ) -> Pin<Box<dyn Future<Output = Result<(), ClientError>> + Send + 'a>>,
>;

/// Both sides of one rule.
pub struct Edge {
    pub file: &'static str,
    pub strct: &'static str,
    pub field: &'static str,
    pub rule: Rule,
    /// Sends a request that breaks this rule and no other.
    pub broken: Call,
    /// Sends a request that only just keeps it.
    pub kept: Call,
}

fn edge<R: Rpc, T>(
    field: &'static str,
    rule: Rule,
    kept: T,
    broken: T,
    set: impl Fn(&mut R, T),
) -> Edge {
    let request = |value| {
        let mut request = R::valid();
        set(&mut request, value);
        request
    };
    let mut path = type_name::<R>().rsplit("::");
    Edge {
        strct: path.next().unwrap(),
        file: path.next().unwrap(),
        field,
        rule,
        broken: call(request(broken)),
        kept: call(request(kept)),
    }
}

fn call<R: Rpc>(request: R) -> Call {
    Box::new(move |clients| Box::pin(request.clone().send(clients)))
}

/// An id, a count or another number from `least` on.
fn at_least<R: Rpc, N: From<i8>>(field: &'static str, least: i8, set: impl Fn(&mut R, N)) -> Edge {
    edge(field, Rule::Ge, least.into(), (least - 1).into(), set)
}

/// A page size from 1 to `most`.
fn page_size<R: Rpc>(most: i32, set: impl Fn(&mut R, i32) + Copy) -> [Edge; 2] {
    [
        at_least("limit", 1, set),
        edge("limit", Rule::Le, most, most + 1, set),
    ]
}

/// Up to 300 ids, of which `field_elem` is the path of one.
fn ids<R: Rpc>(
    field: &'static str,
    field_elem: &'static str,
    set: impl Fn(&mut R, Vec<i64>) + Copy,
) -> [Edge; 2] {
    [
        edge(field, Rule::MaxItems, vec![1; 300], vec![1; 301], set),
        edge(field_elem, Rule::Ge, vec![1, 1], vec![1, 0], set),
    ]
}

fn not_empty<R: Rpc>(field: &'static str, set: impl Fn(&mut R, Vec<i64>)) -> Edge {
    edge(field, Rule::MinItems, vec![1], vec![], set)
}

/// Text of 1 to `most` bytes.
fn bytes<R: Rpc>(
    field: &'static str,
    most: usize,
    set: impl Fn(&mut R, FastStr) + Copy,
) -> [Edge; 2] {
    let most = edge(
        field,
        Rule::MaxBytes,
        text("é", most / 2),
        text("é", most / 2 + 1),
        set,
    );
    [
        edge(field, Rule::MinBytes, text("a", 1), text("", 0), set),
        most,
    ]
}

/// Text of `least` to `most` characters, each of more than one byte.
fn chars<R: Rpc>(
    field: &'static str,
    least: usize,
    most: usize,
    set: impl Fn(&mut R, FastStr) + Copy,
) -> [Edge; 2] {
    [
        edge(
            field,
            Rule::MinChars,
            text("é", least),
            text("é", least - 1),
            set,
        ),
        edge(
            field,
            Rule::MaxChars,
            text("é", most),
            text("é", most + 1),
            set,
        ),
    ]
}

/// A client's key: up to 255 characters that are printed.
fn repeat_key<R: Rpc>(set: impl Fn(&mut R, FastStr)) -> Edge {
    let (kept, broken) = (text("~", 255), text("~", 256));
    edge("idempotency_key", Rule::Pattern, kept, broken, set)
}

/// In the order of the files.
pub fn all() -> Vec<Edge> {
    let mut all = user();
    all.extend(video());
    all.extend(favorite());
    all.extend(comment());
    all
}

fn user() -> Vec<Edge> {
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

fn video() -> Vec<Edge> {
    let videos = |r: &mut MGetVideosRequest, v| r.video_ids = v;
    let authors = |r: &mut MGetAuthorsRequest, v| r.video_ids = v;
    let mut all = vec![
        at_least("before_ms", 0, |r: &mut FeedRequest, v| {
            r.before_ms = Some(v)
        }),
        at_least("author_id", 1, |r: &mut ListByAuthorRequest, v| {
            r.author_id = v
        }),
        at_least("before", 1, |r: &mut ListByAuthorRequest, v| {
            r.before = Some(v)
        }),
        not_empty("video_ids", videos),
        not_empty("video_ids", authors),
        at_least("author_id", 1, |r: &mut BeginUploadRequest, v| {
            r.author_id = v
        }),
        edge(
            "kind",
            Rule::DefinedOnly,
            UploadKind::MULTIPART,
            0.into(),
            |r: &mut BeginUploadRequest, v| r.kind = v,
        ),
        edge(
            "container",
            Rule::DefinedOnly,
            Container::MATROSKA,
            5.into(),
            |r: &mut BeginUploadRequest, v| r.container = v,
        ),
        at_least("author_id", 1, |r: &mut PublishRequest, v| r.author_id = v),
        at_least("size_bytes", 1, |r: &mut PublishRequest, v| {
            r.size_bytes = v
        }),
        edge(
            "sha256",
            Rule::Pattern,
            text("f", 64),
            text("F", 64),
            |r: &mut PublishRequest, v| r.sha256 = v,
        ),
        repeat_key(|r: &mut PublishRequest, v| r.idempotency_key = Some(v)),
        at_least("author_id", 1, |r: &mut AbortUploadRequest, v| {
            r.author_id = v
        }),
    ];
    all.extend(page_size(30, |r: &mut FeedRequest, v| r.limit = v));
    all.extend(page_size(300, |r: &mut ListByAuthorRequest, v| r.limit = v));
    all.extend(ids("video_ids", "video_ids[]", videos));
    all.extend(ids("video_ids", "video_ids[]", authors));
    all.extend(bytes("object_key", 100, |r: &mut PublishRequest, v| {
        r.object_key = v
    }));
    all.extend(chars("title", 1, 100, |r: &mut PublishRequest, v| {
        r.title = v
    }));
    all.extend(bytes("object_key", 100, |r: &mut AbortUploadRequest, v| {
        r.object_key = v
    }));
    all
}

fn favorite() -> Vec<Edge> {
    let mut all = vec![
        at_least("user_id", 1, |r: &mut SetFavoriteRequest, v| r.user_id = v),
        at_least("video_id", 1, |r: &mut SetFavoriteRequest, v| {
            r.video_id = v
        }),
        at_least("user_id", 1, |r: &mut ListFavoritesRequest, v| {
            r.user_id = v
        }),
        at_least("before", 1, |r: &mut ListFavoritesRequest, v| {
            r.before = Some(v)
        }),
        at_least("viewer_id", 1, |r: &mut FavoritePageRequest, v| {
            r.viewer_id = Some(v)
        }),
    ];
    all.extend(page_size(300, |r: &mut ListFavoritesRequest, v| {
        r.limit = v
    }));
    all.extend(ids(
        "video_ids",
        "video_ids[]",
        |r: &mut FavoritePageRequest, v| r.video_ids = v,
    ));
    all.extend(ids(
        "user_ids",
        "user_ids[]",
        |r: &mut FavoritePageRequest, v| r.user_ids = v,
    ));
    all
}

fn comment() -> Vec<Edge> {
    let videos = |r: &mut CountCommentsRequest, v| r.video_ids = v;
    let mut all = vec![
        at_least("user_id", 1, |r: &mut AddCommentRequest, v| r.user_id = v),
        at_least("video_id", 1, |r: &mut AddCommentRequest, v| r.video_id = v),
        repeat_key(|r: &mut AddCommentRequest, v| r.idempotency_key = Some(v)),
        at_least("user_id", 1, |r: &mut DeleteCommentRequest, v| {
            r.user_id = v
        }),
        at_least("video_id", 1, |r: &mut DeleteCommentRequest, v| {
            r.video_id = v
        }),
        at_least("comment_id", 1, |r: &mut DeleteCommentRequest, v| {
            r.comment_id = v
        }),
        at_least("video_id", 1, |r: &mut ListCommentsRequest, v| {
            r.video_id = v
        }),
        at_least("before", 1, |r: &mut ListCommentsRequest, v| {
            r.before = Some(v)
        }),
        not_empty("video_ids", videos),
    ];
    all.extend(chars("content", 1, 500, |r: &mut AddCommentRequest, v| {
        r.content = v
    }));
    all.extend(page_size(300, |r: &mut ListCommentsRequest, v| r.limit = v));
    all.extend(ids("video_ids", "video_ids[]", videos));
    all
}
