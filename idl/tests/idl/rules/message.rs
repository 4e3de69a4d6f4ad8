//! The methods and rules of message.thrift: a valid request of each method, and both sides of each rule.

use idl::message::*;
use volo_thrift::{ClientError, ServerError};

use super::{
    edges::{Edge, at_least, chars, many_ids, page_size, repeat_key},
    servers::{Clients, Handler, Rpc, interface, text},
};

interface! {
    MessageService message {
        send_message(SendMessageRequest { user_id: 1, to_user_id: 2, content: text("c", 1), idempotency_key: None })
            -> SendMessageResponse;
        list_messages(ListMessagesRequest { user_id: 1, peer_id: 2, after_ms: None, before_ms: None, limit: 1 })
            -> ListMessagesResponse;
        latest_messages(LatestMessagesRequest { user_id: 1, peer_ids: vec![] }) -> LatestMessagesResponse;
    }
}

/// Every rule of the file.
pub fn edges() -> Vec<Edge> {
    let mut all = vec![
        at_least("user_id", 1, |r: &mut SendMessageRequest, v| r.user_id = v),
        at_least("to_user_id", 1, |r: &mut SendMessageRequest, v| {
            r.to_user_id = v
        }),
        repeat_key(|r: &mut SendMessageRequest, v| r.idempotency_key = Some(v)),
        at_least("user_id", 1, |r: &mut ListMessagesRequest, v| r.user_id = v),
        at_least("peer_id", 1, |r: &mut ListMessagesRequest, v| r.peer_id = v),
        at_least("after_ms", 0, |r: &mut ListMessagesRequest, v| {
            r.after_ms = Some(v)
        }),
        at_least("before_ms", 1, |r: &mut ListMessagesRequest, v| {
            r.before_ms = Some(v)
        }),
        at_least("user_id", 1, |r: &mut LatestMessagesRequest, v| {
            r.user_id = v
        }),
    ];
    all.extend(chars("content", 1, 500, |r: &mut SendMessageRequest, v| {
        r.content = v
    }));
    all.extend(page_size(300, |r: &mut ListMessagesRequest, v| r.limit = v));
    all.extend(many_ids(
        "peer_ids",
        "peer_ids[]",
        5000,
        |r: &mut LatestMessagesRequest, v| r.peer_ids = v,
    ));
    all
}
