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
    INTERNAL = 20001,
    UNAVAILABLE = 20002,
    TIMED_OUT = 20003,
}
