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
    /** These three as of the last fold, some seconds ago; the favorite service has the exact ones. */
    6: required i64 total_favorited,
    7: required i64 favorite_count,
    8: required i64 work_count,
    /** When the account was made, UTC: tells it from another that had the same id. */
    9: optional i64 created_ms,
}

struct RegisterRequest {
    /** In NFC; unique by exact comparison. */
    1: required string username (vt.min_chars = "1", vt.max_chars = "32", vt.trimmed = "true", vt.no_control = "true"),
    /** At most 72 bytes, because bcrypt reads no more. */
    2: required string password (vt.min_chars = "5", vt.max_chars = "32", vt.max_size = "72"),
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
}

struct MGetUsersRequest {
    1: required list<i64> user_ids (vt.min_size = "1", vt.max_size = "300", vt.elem.ge = "1"),
}

struct MGetUsersResponse {
    /** In no particular order; an id that names nobody is left out. */
    1: required list<User> users,
}

service UserService {
    /** NAME_TAKEN when the name is somebody's. Not idempotent. */
    // 8 s: password hashes queue for the cores.
    RegisterResponse register(1: RegisterRequest req) (call.deadline_ms = "8000", call.retry = "false"),
    /** WRONG_NAME_OR_PASSWORD without saying which. */
    // 8 s: as above.
    LoginResponse login(1: LoginRequest req) (call.deadline_ms = "8000", call.retry = "true"),
    // 2 s: a read by index takes milliseconds; the rest is for a busy machine.
    MGetUsersResponse mget_users(1: MGetUsersRequest req) (call.deadline_ms = "2000", call.retry = "true"),
}
