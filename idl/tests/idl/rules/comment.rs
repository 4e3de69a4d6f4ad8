//! The methods and rules of comment.thrift: a valid request of each method, and both sides of each rule.

use idl::{Rule, base::Deletable, comment::*};
use volo_thrift::{ClientError, ServerError};

use super::{
    edges::{Edge, at_least, chars, edge, ids, not_empty, page_size, repeat_key},
    servers::{Clients, Handler, Rpc, interface, text},
};

interface! {
    CommentService comment {
        add_comment(AddCommentRequest { user_id: 1, video_id: 1, content: text("c", 1), idempotency_key: None }) -> AddCommentResponse;
        delete_comment(DeleteCommentRequest { user_id: 1, video_id: 1, comment_id: 1 }) -> DeleteCommentResponse;
        list_comments(ListCommentsRequest { video_id: 1, before: None, limit: 1 })
            -> ListCommentsResponse;
        count_comments(CountCommentsRequest { video_ids: vec![1] }) -> CountCommentsResponse;
        forget_comments(ForgetCommentsRequest { kind: Deletable::VIDEO, id: 1 }) -> ForgetCommentsResponse;
        take_down_comment(TakeDownCommentRequest { comment_id: 1, reason: text("r", 1) }) -> TakeDownCommentResponse;
    }
}

/// Every rule of the file.
pub fn edges() -> Vec<Edge> {
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
        at_least("id", 1, |r: &mut ForgetCommentsRequest, v| r.id = v),
        edge(
            "kind",
            Rule::DefinedOnly,
            Deletable::USER,
            Deletable::from(3),
            |r: &mut ForgetCommentsRequest, v| r.kind = v,
        ),
        at_least("comment_id", 1, |r: &mut TakeDownCommentRequest, v| {
            r.comment_id = v
        }),
    ];
    all.extend(chars(
        "reason",
        1,
        500,
        |r: &mut TakeDownCommentRequest, v| r.reason = v,
    ));
    all.extend(chars("content", 1, 500, |r: &mut AddCommentRequest, v| {
        r.content = v
    }));
    all.extend(page_size(300, |r: &mut ListCommentsRequest, v| r.limit = v));
    all.extend(ids("video_ids", "video_ids[]", videos));
    all
}
