// What every service shares: the table of codes. A code's number and meaning never change.
namespace rs base
namespace go base

/**
 * The one table of outcomes. 0 is success, 1xxxx the caller can mend, 2xxxx is ours.
 * A service answers anything but success as a business error (status code and message over TTHeader).
 */
enum Code {
    OK = 0,
    BAD_PARAMETER = 10001,
    NOT_LOGGED_IN = 10002,
    BAD_TOKEN = 10003,
    WRONG_NAME_OR_PASSWORD = 10004,
    NAME_TAKEN = 10005,
    NO_SUCH_USER = 10006,
    NO_SUCH_VIDEO = 10007,
    NO_SUCH_COMMENT = 10008,
    NOT_YOURS = 10009,
    NOT_A_VIDEO = 10010,
    TOO_LARGE = 10011,
    TOO_MANY_REQUESTS = 10012,
    IDEMPOTENCY_KEY_REUSED = 10013,
    /** An operator has suspended the account. */
    SUSPENDED = 10014,
    /** Whom a follow or a message is for has blocked who sends it. */
    BLOCKED = 10015,
    INTERNAL = 20001,
    UNAVAILABLE = 20002,
    TIMED_OUT = 20003,
}

/** What is counted of a user. */
struct UserCounts {
    /** Likes that this user's videos received. */
    1: required i64 total_favorited,
    /** Videos that this user likes. */
    2: required i64 favorite_count,
    /** Videos that this user published. */
    3: required i64 work_count,
    /** Users whom this user follows; absent: from a service of a version that doesn't send it. */
    4: optional i64 follow_count,
    /** Users who follow this user; absent as above. */
    5: optional i64 follower_count,
}

/** What can be deleted, so that all that refers to it goes, too. */
enum Deletable {
    VIDEO = 1,
    USER = 2,
}

/**
 * Why, where the code leaves that open. A business error carries the number as "reason" in its extra, and "limit" where a limit was passed:
 * whoever speaks with people words it in their language. The message says it in English, for callers that don't know the number. A
 * number and its meaning never change.
 */
enum Reason {
    /** NOT_A_VIDEO: neither MP4, QuickTime, WebM nor Matroska. */
    UNKNOWN_FORMAT = 1,
    CUT_SHORT = 2,
    /** It contradicts itself. */
    DAMAGED = 3,
    NO_VIDEO_STREAM = 4,
    STILL_PICTURE = 5,
    NO_DURATION = 6,
    /** The limit is in seconds. */
    TOO_LONG = 7,
    /** Of a picture. */
    TOO_MANY_PIXELS = 8,
    TOO_MANY_STREAMS = 9,
    UNDECODABLE = 10,
    /** Reading it takes too much time. */
    TOO_SLOW = 11,
    /** Reading it takes too much memory. */
    TOO_BIG = 12,
    /** BAD_PARAMETER: unknown, published already, being removed, or another author's. */
    NO_SUCH_UPLOAD = 13,
    /** BAD_PARAMETER: what was stored has another size than was said. */
    OTHER_SIZE = 14,
    /** BAD_PARAMETER: bcrypt ends a password at a NUL. */
    NUL_IN_PASSWORD = 15,
    /** NOT_A_VIDEO: a photo, still or moving (HEIC, AVIF). */
    PHOTO = 16,
    /** NOT_A_VIDEO: it can only be read with a key. */
    ENCRYPTED = 17,
    /** TOO_MANY_REQUESTS: the limit is of videos of the author that are processed or have failed. */
    TOO_MANY_UNFINISHED = 18,
    /** BAD_PARAMETER: no JPEG, PNG or WebP that can be decoded. */
    NOT_A_PICTURE = 30,
}
