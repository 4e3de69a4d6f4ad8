//! The methods and rules of relation.thrift: a valid request of each method, and both sides of each rule.

use idl::relation::*;
use volo_thrift::{ClientError, ServerError};

use super::{
    edges::{Edge, at_least, ids, page_size},
    servers::{Clients, Handler, Rpc, interface},
};

interface! {
    RelationService relation {
        set_follow(SetFollowRequest { user_id: 1, followed_id: 2, followed: true }) -> SetFollowResponse;
        list_follows(ListFollowsRequest { user_id: 1, before: None, limit: 1 }) -> ListFollowsResponse;
        list_followers(ListFollowersRequest { user_id: 1, before: None, limit: 1 }) -> ListFollowsResponse;
        list_friends(ListFriendsRequest { user_id: 1, limit: 1 }) -> ListFriendsResponse;
        followed_ids(FollowedIdsRequest { user_id: 1, limit: 1 }) -> FollowedIdsResponse;
        followed_among(FollowedAmongRequest { user_id: 1, user_ids: vec![] }) -> FollowedAmongResponse;
        forget_follows(ForgetFollowsRequest { user_id: 1 }) -> ForgetFollowsResponse;
    }
}

/// Every rule of the file.
pub fn edges() -> Vec<Edge> {
    let mut all = vec![
        at_least("user_id", 1, |r: &mut ForgetFollowsRequest, v| {
            r.user_id = v
        }),
        at_least("user_id", 1, |r: &mut SetFollowRequest, v| r.user_id = v),
        at_least("followed_id", 1, |r: &mut SetFollowRequest, v| {
            r.followed_id = v
        }),
        at_least("user_id", 1, |r: &mut ListFollowsRequest, v| r.user_id = v),
        at_least("before", 1, |r: &mut ListFollowsRequest, v| {
            r.before = Some(v)
        }),
        at_least("user_id", 1, |r: &mut ListFollowersRequest, v| {
            r.user_id = v
        }),
        at_least("before", 1, |r: &mut ListFollowersRequest, v| {
            r.before = Some(v)
        }),
        at_least("user_id", 1, |r: &mut ListFriendsRequest, v| r.user_id = v),
        at_least("user_id", 1, |r: &mut FollowedIdsRequest, v| r.user_id = v),
        at_least("user_id", 1, |r: &mut FollowedAmongRequest, v| {
            r.user_id = v
        }),
    ];
    all.extend(page_size(300, |r: &mut ListFollowsRequest, v| r.limit = v));
    all.extend(page_size(300, |r: &mut ListFollowersRequest, v| {
        r.limit = v
    }));
    all.extend(page_size(5000, |r: &mut ListFriendsRequest, v| r.limit = v));
    all.extend(page_size(5000, |r: &mut FollowedIdsRequest, v| r.limit = v));
    all.extend(ids(
        "user_ids",
        "user_ids[]",
        |r: &mut FollowedAmongRequest, v| r.user_ids = v,
    ));
    all
}
