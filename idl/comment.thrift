// Comments: text under a video, who may delete it, and how many there are.
namespace rs comment
namespace go comment

include "base.thrift"

struct Comment {
    1: required i64 id,
    2: required i64 user_id,
    3: required i64 video_id,
    4: required string content,
    /** UTC. */
    5: required i64 created_ms,
}

struct AddCommentRequest {
    1: required i64 user_id (vt.ge = "1"),
    2: required i64 video_id (vt.ge = "1"),
    3: required string content (vt.min_rune_size = "1", vt.max_rune_size = "500"),
    /** The client's: the same key by the same user gives the first result, for 24 h. */
    4: optional string idempotency_key (vt.pattern = "^[!-~]{1,255}$"),
}

struct AddCommentResponse {
    1: required Comment comment,
    /** The exact counts of who wrote it; absent while they can't be read, and from a service of a version that doesn't send them. */
    2: optional base.UserCounts user_counts,
}

struct DeleteCommentRequest {
    1: required i64 user_id (vt.ge = "1"),
    2: required i64 video_id (vt.ge = "1"),
    3: required i64 comment_id (vt.ge = "1"),
}

struct DeleteCommentResponse {
}

struct ListCommentsRequest {
    1: required i64 video_id (vt.ge = "1"),
    /** The last page's `next_before`; absent: from the newest. */
    2: optional i64 before (vt.ge = "1"),
    3: required i32 limit (vt.ge = "1", vt.le = "300"),
}

struct ListCommentsResponse {
    /** Newest first. */
    1: required list<Comment> comments,
    2: required bool has_more,
    /** A place in this order, whatever becomes of the comment that stood there; absent: nothing follows. */
    3: optional i64 next_before,
    /**
     * user id -> counts of those who wrote them, exact; empty while they can't be read. Absent: from a service of a version that doesn't
     * send them.
     */
    4: optional map<i64, base.UserCounts> user_counts,
}

struct CountCommentsRequest {
    1: required list<i64> video_ids (vt.min_size = "1", vt.max_size = "300", vt.elem.ge = "1"),
}

struct CountCommentsResponse {
    /** video id -> comments */
    1: required map<i64, i64> comment_counts,
}

struct ForgetCommentsRequest {
    1: required base.Deletable kind (vt.defined_only = "true"),
    /** Of a video or user that is deleted for good. */
    2: required i64 id (vt.ge = "1"),
}

struct ForgetCommentsResponse {
    /** Whether comments are left for the next call. */
    1: required bool has_more,
}

struct TakeDownCommentRequest {
    1: required i64 comment_id (vt.ge = "1"),
    /** The operator's, for the log. */
    2: required string reason (vt.min_rune_size = "1", vt.max_rune_size = "500"),
}

struct TakeDownCommentResponse {
}

service CommentService {
    /** NO_SUCH_VIDEO when there is none. Not idempotent, but with a key: then with another video or text it is IDEMPOTENCY_KEY_REUSED. */
    // 4 s: a write outlasts the semi-sync timeout of 1 s. No retry: without a key it would add a second comment.
    AddCommentResponse add_comment(1: AddCommentRequest req) (call.deadline_ms = "4000", call.retry = "false"),
    /** NO_SUCH_COMMENT, also for a comment under another video; NOT_YOURS unless the caller wrote it or the video. */
    // 4 s: as add_comment. No retry: if the first attempt deleted the comment, the second answers NO_SUCH_COMMENT.
    DeleteCommentResponse delete_comment(1: DeleteCommentRequest req) (call.deadline_ms = "4000", call.retry = "false"),
    // 2 s: a read by index takes milliseconds; the rest is for a busy machine.
    ListCommentsResponse list_comments(1: ListCommentsRequest req) (call.deadline_ms = "2000", call.retry = "true"),
    // 1 s: a page doesn't wait long for it; without it the page shows the counts of the last fold.
    CountCommentsResponse count_comments(1: CountCommentsRequest req) (call.deadline_ms = "1000", call.retry = "true"),
    /** Lets nobody comment on the video, or the user on anything, from now on, and takes away what comments there are, as many as there is time for. Idempotent. */
    // 5 s: it works for a second at most, and then ends the batch that it is at. Retry: what is gone is gone.
    ForgetCommentsResponse forget_comments(1: ForgetCommentsRequest req) (call.deadline_ms = "5000", call.retry = "true"),
    /** An operator takes a comment away. NO_SUCH_COMMENT. */
    // 4 s: as add_comment. No retry: if the first attempt deleted the comment, the second answers NO_SUCH_COMMENT.
    TakeDownCommentResponse take_down_comment(1: TakeDownCommentRequest req) (call.deadline_ms = "4000", call.retry = "false"),
}
