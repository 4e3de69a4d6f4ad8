//! The words of `status_msg`, in the languages that the API speaks. One table, by code.

use http::{HeaderMap, header};
use idl::base::Code;

/// A language of the replies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// The default.
    #[default]
    English,
    /// Simplified Chinese.
    Chinese,
}

impl Language {
    /// The best of ours for an `Accept-Language` header (RFC 9110, section 12.5.4).
    pub fn of(headers: &HeaderMap) -> Self {
        let accepted = headers
            .get(header::ACCEPT_LANGUAGE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let mut best = (Self::default(), 0.0);
        for range in accepted.split(',') {
            let (tag, parameters) = range.split_once(';').unwrap_or((range, ""));
            let language = match tag
                .trim()
                .split('-')
                .next()
                .unwrap_or_default()
                .to_ascii_lowercase()
                .as_str()
            {
                "zh" => Self::Chinese,
                "en" => Self::English,
                _ => continue,
            };
            let weight = parameters
                .trim()
                .strip_prefix("q=")
                .map_or(1.0, |q| q.trim().parse::<f32>().unwrap_or(0.0));
            if weight > best.1 {
                best = (language, weight);
            }
        }
        best.0
    }
}

impl Language {
    /// What stands between a thing and what is said of it.
    pub fn colon(self) -> &'static str {
        match self {
            Self::English => ": ",
            Self::Chinese => "：",
        }
    }
}

/// The one table of outcomes: each code, and what `status_msg` says for it in English and in Chinese.
pub const TABLE: [(Code, &str, &str); 17] = [
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

/// What `status_msg` says for a code.
pub fn words(code: Code, language: Language) -> &'static str {
    let known = TABLE.iter().find(|(known, ..)| *known == code);
    match (known, language) {
        (Some((_, english, _)), Language::English) => english,
        (Some((_, _, chinese)), Language::Chinese) => chinese,
        // A service of a later version has a code that this process doesn't know.
        (None, _) => words(Code::INTERNAL, language),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The numbers of an enum of base.thrift.
    pub fn numbers_of(name: &str) -> Vec<i32> {
        let source = include_str!("../../idl/base.thrift");
        let (_, rest) = source.split_once(&format!("enum {name} {{")).unwrap();
        let (body, _) = rest.split_once("\n}").unwrap();
        let number = |line: &str| {
            let (_, number) = line.trim().strip_suffix(',')?.split_once(" = ")?;
            number.parse().ok()
        };
        body.lines().filter_map(number).collect()
    }

    #[test]
    fn every_code_of_the_interfaces_has_its_words() {
        let known: Vec<i32> = TABLE.iter().map(|(code, ..)| code.inner()).collect();
        assert_eq!(numbers_of("Code"), known);
    }

    #[test]
    fn the_language_follows_the_header() {
        for (header, language) in [
            ("", Language::English),
            ("zh", Language::Chinese),
            ("zh-CN,zh;q=0.9,en;q=0.8", Language::Chinese),
            ("en-US,en;q=0.9,zh;q=0.8", Language::English),
            ("zh;q=0.1, en;q=0.5", Language::English),
            ("fr, zh;q=0.3", Language::Chinese),
            ("fr", Language::English),
            ("zh;q=0", Language::English),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, header.parse().unwrap());
            assert_eq!(Language::of(&headers), language, "{header}");
        }
    }
}
