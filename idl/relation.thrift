// Follows: who follows whom, and who follow each other.
namespace rs relation
namespace go relation

include "base.thrift"

struct SetFollowRequest {
    1: required i64 user_id (vt.ge = "1"),
    /** Somebody else: oneself is BAD_PARAMETER. */
    2: required i64 followed_id (vt.ge = "1"),
    /** true: follow; false: unfollow. */
    3: required bool followed,
}

struct SetFollowResponse {
    /** Whether a row changed: false for a follow of who is followed already. */
    1: required bool changed,
}

struct ListFollowsRequest {
    1: required i64 user_id (vt.ge = "1"),
    /** The last page's `next_before`; absent: from the latest follow. */
    2: optional i64 before (vt.ge = "1"),
    3: required i32 limit (vt.ge = "1", vt.le = "300"),
}

struct ListFollowsResponse {
    /** Latest follow first. */
    1: required list<i64> user_ids,
    2: required bool has_more,
    /** A place in this order, whatever becomes of the follow that stood there; absent: nothing follows. */
    3: optional i64 next_before,
    /** user id -> counts of those on the list, exact; empty while they can't be read. */
    4: optional map<i64, base.UserCounts> user_counts,
}

struct ListFollowersRequest {
    1: required i64 user_id (vt.ge = "1"),
    /** As of the other list. */
    2: optional i64 before (vt.ge = "1"),
    3: required i32 limit (vt.ge = "1", vt.le = "300"),
}

struct ListFriendsRequest {
    1: required i64 user_id (vt.ge = "1"),
    2: required i32 limit (vt.ge = "1", vt.le = "5000"),
}

struct Friend {
    1: required i64 user_id,
    /** The cursor of the user's follow in their list of follows. */
    2: required i64 cursor,
}

struct ListFriendsResponse {
    /** Latest follow first: those among the user's latest 10,000 follows who follow back. */
    1: required list<Friend> friends,
}

struct FollowedIdsRequest {
    1: required i64 user_id (vt.ge = "1"),
    2: required i32 limit (vt.ge = "1", vt.le = "5000"),
}

struct FollowedIdsResponse {
    /** Latest follow first. */
    1: required list<i64> user_ids,
}

struct FollowedAmongRequest {
    1: required i64 user_id (vt.ge = "1"),
    2: required list<i64> user_ids (vt.max_size = "300", vt.elem.ge = "1"),
}

struct FollowedAmongResponse {
    /** Those of the request whom the user follows. */
    1: required list<i64> user_ids,
}

struct ForgetFollowsRequest {
    /** Of a user that is deleted for good. */
    1: required i64 user_id (vt.ge = "1"),
}

struct ForgetFollowsResponse {
    /** Whether follows are left for the next call. */
    1: required bool has_more,
}

service RelationService {
    /** NO_SUCH_USER when there is nobody to follow; BLOCKED when they don't want it. Idempotent. */
    // 4 s: a write outlasts the semi-sync timeout of 1 s. No retry: an instance that was paused could still carry out the first attempt,
    // after the user has done the opposite elsewhere.
    SetFollowResponse set_follow(1: SetFollowRequest req) (call.deadline_ms = "4000", call.retry = "false"),
    /** Whom a user follows. */
    // 2 s: a read by index takes milliseconds; the rest is for a busy machine. The next three are such reads, too.
    ListFollowsResponse list_follows(1: ListFollowsRequest req) (call.deadline_ms = "2000", call.retry = "true"),
    /** Who follows a user. */
    ListFollowsResponse list_followers(1: ListFollowersRequest req) (call.deadline_ms = "2000", call.retry = "true"),
    ListFriendsResponse list_friends(1: ListFriendsRequest req) (call.deadline_ms = "2000", call.retry = "true"),
    FollowedIdsResponse followed_ids(1: FollowedIdsRequest req) (call.deadline_ms = "2000", call.retry = "true"),
    // For APIs of 0.1.0; later ones ask FavoriteService.mget_flags.
    // 1 s: a page doesn't wait long for it; without it nobody on the page is shown as followed.
    FollowedAmongResponse followed_among(1: FollowedAmongRequest req) (call.deadline_ms = "1000", call.retry = "true"),
    /** Lets the user follow nobody, and nobody follow them, from now on, and takes away what follows there are, as many as there is time for. Idempotent. */
    // 5 s: it works for a second at most, and then ends the batch that it is at. Retry: what is gone is gone.
    ForgetFollowsResponse forget_follows(1: ForgetFollowsRequest req) (call.deadline_ms = "5000", call.retry = "true"),
}
