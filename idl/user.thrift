// Accounts: who exists, and whether a password is theirs. Tokens are the API's affair.
namespace rs user
namespace go user

include "base.thrift"

struct User {
    1: required i64 id,
    2: required string name,
    3: required string avatar,
    4: required string background_image,
    5: required string signature,
    /** These three, and the counts of follows, as of the last fold, some seconds ago; the favorite service has the exact ones. */
    6: required i64 total_favorited,
    7: required i64 favorite_count,
    8: required i64 work_count,
    /** When the account was made, UTC: tells it from another that had the same id. */
    9: optional i64 created_ms,
    /** Tokens of a lower one have ended. Absent: from a service of a version that doesn't send it. */
    10: optional i64 token_epoch,
    20: optional i64 follow_count,
    21: optional i64 follower_count,
}

struct RegisterRequest {
    /** In NFC; unique by exact comparison. */
    1: required string username (vt.min_rune_size = "1", vt.max_rune_size = "32", vt.trimmed = "true", vt.no_control = "true"),
    /** At most 72 bytes, because bcrypt reads no more. */
    2: required string password (vt.min_rune_size = "5", vt.max_rune_size = "32", vt.max_size = "72"),
}

struct RegisterResponse {
    1: required i64 user_id,
    /** As of the user. */
    2: optional i64 created_ms,
}

struct LoginRequest {
    /** Only presence is a matter of form here; any other wrong one is WRONG_NAME_OR_PASSWORD. */
    1: required string username (vt.min_size = "1"),
    2: required string password (vt.min_size = "1"),
}

struct LoginResponse {
    1: required i64 user_id,
    /** As of the user. */
    2: optional i64 created_ms,
    /** As of the user: of the token that is to be issued. */
    3: optional i64 token_epoch,
}

struct ChangePasswordRequest {
    1: required i64 user_id (vt.ge = "1"),
    /** The one until now; any other is WRONG_NAME_OR_PASSWORD. */
    2: required string password (vt.min_size = "1"),
    3: required string new_password (vt.min_rune_size = "5", vt.max_rune_size = "32", vt.max_size = "72"),
}

struct ChangePasswordResponse {
    /** Of the tokens that are good from now on. */
    1: required i64 token_epoch,
    /** As of the user. */
    2: optional i64 created_ms,
}

struct EndSessionsRequest {
    1: required i64 user_id (vt.ge = "1"),
}

struct EndSessionsResponse {
    /** Of the tokens that are good from now on. */
    1: required i64 token_epoch,
}

struct DeleteAccountRequest {
    1: required i64 user_id (vt.ge = "1"),
    2: required string password (vt.min_size = "1"),
}

struct DeleteAccountResponse {
}

struct SuspendUserRequest {
    1: required i64 user_id (vt.ge = "1"),
    /** false: the account may be used again. */
    2: required bool suspended,
    /** The operator's, for the log. */
    3: required string reason (vt.min_rune_size = "1", vt.max_rune_size = "500"),
}

struct SuspendUserResponse {
}

struct SetBlockRequest {
    1: required i64 user_id (vt.ge = "1"),
    2: required i64 blocked_id (vt.ge = "1"),
    3: required bool blocked,
}

struct SetBlockResponse {
    /** Whether a row changed: false for who is blocked already. */
    1: required bool changed,
}

struct ListBlocksRequest {
    1: required i64 user_id (vt.ge = "1"),
    /** The last page's `next_before`; absent: from the first. */
    2: optional i64 before (vt.ge = "1"),
    3: required i32 limit (vt.ge = "1", vt.le = "300"),
}

struct ListBlocksResponse {
    /** By their ids, the greatest first. */
    1: required list<i64> user_ids,
    2: required bool has_more,
    /** A place in this order; absent: nothing follows. */
    3: optional i64 next_before,
}

/** What a picture is for; says how wide it may be. */
enum PictureKind {
    AVATAR = 1,
    BACKGROUND = 2,
}

struct AddPictureRequest {
    1: required i64 user_id (vt.ge = "1"),
    2: required PictureKind kind (vt.defined_only = "true"),
    /** JPEG, PNG or WebP, as it was sent. */
    3: required binary content (vt.min_size = "1", vt.max_size = "8388608"),
}

struct AddPictureResponse {
    /** For set_profile, within an hour. */
    1: required string picture_key,
}

/** What is absent stays as it is. */
struct SetProfileRequest {
    1: required i64 user_id (vt.ge = "1"),
    2: optional string avatar_key (vt.min_size = "1", vt.max_size = "100"),
    3: optional string background_image_key (vt.min_size = "1", vt.max_size = "100"),
    4: optional string signature (vt.max_rune_size = "200", vt.no_control = "true"),
}

struct SetProfileResponse {
    1: required User user,
}

struct MGetUsersRequest {
    1: required list<i64> user_ids (vt.min_size = "1", vt.max_size = "300", vt.elem.ge = "1"),
    /** Whether the reader's marks count: then a change of a profile that they tell of is seen. Absent: what a replica has will do. */
    2: optional bool with_changes,
}

struct MGetUsersResponse {
    /** In no particular order; an id that names nobody is left out. */
    1: required list<User> users,
}

service UserService {
    /** NAME_TAKEN when the name is somebody's. Not idempotent. */
    // 8 s: password hashes queue for the cores.
    RegisterResponse register(1: RegisterRequest req) (call.deadline_ms = "8000", call.retry = "false"),
    /** Makes a picture of ours: decoded and encoded anew, no wider than its kind may be, without metadata. BAD_PARAMETER when it can't be decoded. */
    // 20 s: it waits for its turn and is decoded. No retry: it would be stored twice; the one that isn't used is removed after an hour.
    AddPictureResponse add_picture(1: AddPictureRequest req) (call.deadline_ms = "20000", call.retry = "false"),
    /** NO_SUCH_USER; BAD_PARAMETER for a picture that isn't theirs, or is used already. */
    // 4 s: a write outlasts the semi-sync timeout of 1 s. No retry: the pictures would be used already.
    SetProfileResponse set_profile(1: SetProfileRequest req) (call.deadline_ms = "4000", call.retry = "false"),
    /** Ends all tokens that were issued before. WRONG_NAME_OR_PASSWORD; NO_SUCH_USER. */
    // 8 s: password hashes queue for the cores. No retry: the password is another one then.
    ChangePasswordResponse change_password(1: ChangePasswordRequest req) (call.deadline_ms = "8000", call.retry = "false"),
    /** Ends all tokens that were issued before. NO_SUCH_USER. */
    // 4 s: a write outlasts the semi-sync timeout of 1 s. No retry: the second would end a token that was issued after the first.
    EndSessionsResponse end_sessions(1: EndSessionsRequest req) (call.deadline_ms = "4000", call.retry = "false"),
    /**
     * Ends the account for good; its name stays taken. Its videos, likes and comments go soon. WRONG_NAME_OR_PASSWORD; NO_SUCH_USER, also for one that is deleted.
     */
    // 8 s: password hashes queue for the cores. No retry: the second would answer NO_SUCH_USER.
    DeleteAccountResponse delete_account(1: DeleteAccountRequest req) (call.deadline_ms = "8000", call.retry = "false"),
    /** An operator ends all tokens and lets nobody log in, or lets them again. NO_SUCH_USER. Idempotent. */
    // 4 s: as end_sessions.
    SuspendUserResponse suspend_user(1: SuspendUserRequest req) (call.deadline_ms = "4000", call.retry = "true"),
    /** NO_SUCH_USER: of who is to be blocked; an account that is gone can be unblocked, once. Otherwise idempotent. */
    // 4 s: as end_sessions. No retry: an instance that was paused could still carry out the first attempt, after the user has done the opposite.
    SetBlockResponse set_block(1: SetBlockRequest req) (call.deadline_ms = "4000", call.retry = "false"),
    // 2 s: a read by index takes milliseconds; the rest is for a busy machine.
    ListBlocksResponse list_blocks(1: ListBlocksRequest req) (call.deadline_ms = "2000", call.retry = "true"),
    /** WRONG_NAME_OR_PASSWORD without saying which; SUSPENDED. */
    // 8 s: as above.
    LoginResponse login(1: LoginRequest req) (call.deadline_ms = "8000", call.retry = "true"),
    // 2 s: a read by index takes milliseconds; the rest is for a busy machine.
    MGetUsersResponse mget_users(1: MGetUsersRequest req) (call.deadline_ms = "2000", call.retry = "true"),
}
