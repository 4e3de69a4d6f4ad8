// Messages between two users, in the order of their times.
namespace rs message
namespace go message

include "base.thrift"

struct Message {
    1: required i64 id,
    2: required i64 from_user_id,
    3: required i64 to_user_id,
    4: required string content,
    /** UTC; no two messages between the same two users have the same, and a later one has a greater one. */
    5: required i64 created_ms,
}

struct SendMessageRequest {
    1: required i64 user_id (vt.ge = "1"),
    /** Somebody else: oneself is BAD_PARAMETER. */
    2: required i64 to_user_id (vt.ge = "1"),
    3: required string content (vt.min_rune_size = "1", vt.max_rune_size = "500"),
    /** The client's: the same key by the same user gives the first result, for 24 h. */
    4: optional string idempotency_key (vt.pattern = "^[!-~]{1,255}$"),
}

struct SendMessageResponse {
    1: required Message message,
}

struct ListMessagesRequest {
    /** Who reads. */
    1: required i64 user_id (vt.ge = "1"),
    /** With whom. */
    2: required i64 peer_id (vt.ge = "1"),
    /** Only messages later than this, the oldest of them; absent: the newest. */
    3: optional i64 after_ms (vt.ge = "0"),
    /** Only messages before this: the last page's `next_before`. */
    4: optional i64 before_ms (vt.ge = "1"),
    5: required i32 limit (vt.ge = "1", vt.le = "300"),
}

struct ListMessagesResponse {
    /** Oldest first. */
    1: required list<Message> messages,
    /** With `after_ms`: later ones follow; without: earlier ones precede. */
    2: required bool has_more,
    /** Without `after_ms`: where the page of earlier messages begins; absent: there are none. */
    3: optional i64 next_before,
}

struct LatestMessagesRequest {
    1: required i64 user_id (vt.ge = "1"),
    2: required list<i64> peer_ids (vt.max_size = "5000", vt.elem.ge = "1"),
}

struct LatestMessagesResponse {
    /** The latest message with each of them, in no particular order; nobody without messages is in it. */
    1: required list<Message> messages,
}

service MessageService {
    /** NO_SUCH_USER when there is nobody to send to; BLOCKED when they don't want it. Not idempotent, but with a key: then with another receiver or text it is IDEMPOTENCY_KEY_REUSED. */
    // 4 s: a write outlasts the semi-sync timeout of 1 s. No retry: without a key it would send a second message.
    SendMessageResponse send_message(1: SendMessageRequest req) (call.deadline_ms = "4000", call.retry = "false"),
    /** Exact under polling: with the time of the newest message seen nothing is missed and nothing repeated. */
    // 2 s: a read by index takes milliseconds; the rest is for a busy machine. The next one is such a read, too.
    ListMessagesResponse list_messages(1: ListMessagesRequest req) (call.deadline_ms = "2000", call.retry = "true"),
    LatestMessagesResponse latest_messages(1: LatestMessagesRequest req) (call.deadline_ms = "2000", call.retry = "true"),
}
