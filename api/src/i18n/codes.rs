//! The message of each `status_code`, in every language: the one table of outcomes.

use idl::base::Code;

use super::Language;

/// The one table of outcomes: each code, and what `status_msg` says for it in English and in Chinese.
pub const CODES: [(Code, &str, &str); 19] = [
    (Code::OK, "success", "成功"),
    (Code::BAD_PARAMETER, "bad parameter", "参数错误"),
    (Code::NOT_LOGGED_IN, "please log in", "请先登录"),
    (
        Code::BAD_TOKEN,
        "your login has expired or is not valid, please log in again",
        "登录已过期或无效，请重新登录",
    ),
    (
        Code::WRONG_NAME_OR_PASSWORD,
        "wrong user name or password",
        "用户名或密码错误",
    ),
    (
        Code::NAME_TAKEN,
        "this user name is taken",
        "用户名已被使用",
    ),
    (Code::NO_SUCH_USER, "no such user", "用户不存在"),
    (Code::NO_SUCH_VIDEO, "no such video", "视频不存在"),
    (Code::NO_SUCH_COMMENT, "no such comment", "评论不存在"),
    (Code::NOT_YOURS, "this is not yours to change", "无权操作"),
    (
        Code::NOT_A_VIDEO,
        "this file is not a video that can be published",
        "该文件不是可发布的视频",
    ),
    (Code::TOO_LARGE, "too large", "内容过大"),
    (
        Code::TOO_MANY_REQUESTS,
        "too many requests, please wait a little",
        "请求过于频繁，请稍后再试",
    ),
    (
        Code::IDEMPOTENCY_KEY_REUSED,
        "this Idempotency-Key was used for something else",
        "该 Idempotency-Key 已用于其他内容",
    ),
    (
        Code::SUSPENDED,
        "this account is suspended",
        "该账号已被封禁",
    ),
    (
        Code::BLOCKED,
        "this user doesn't want to hear from you",
        "对方已将你拉黑",
    ),
    (Code::INTERNAL, "internal error", "服务器内部错误"),
    (
        Code::UNAVAILABLE,
        "temporarily unavailable, please try again",
        "服务暂时不可用，请稍后再试",
    ),
    (
        Code::TIMED_OUT,
        "this took too long, please try again",
        "请求超时，请稍后再试",
    ),
];

/// The message of a code.
pub fn code_message(code: Code, language: Language) -> &'static str {
    let known = CODES.iter().find(|(known, ..)| *known == code);
    match (known, language) {
        (Some((_, english, _)), Language::English) => english,
        (Some((_, _, chinese)), Language::Chinese) => chinese,
        // A service of a later version has a code that this process doesn't know.
        (None, _) => code_message(Code::INTERNAL, language),
    }
}
