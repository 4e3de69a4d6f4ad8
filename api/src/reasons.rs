//! The reasons that services give for a refusal, in the languages that the API speaks. One table, by reason.

use idl::base::Reason;

use crate::words::Language;

/// Stands for the limit in the words below.
const LIMIT: &str = "{limit}";

/// Each reason in English and in Chinese.
const TABLE: [(Reason, &str, &str); 15] = [
    (
        Reason::UNKNOWN_FORMAT,
        "the format is unknown or not accepted",
        "格式未知或不受支持",
    ),
    (Reason::CUT_SHORT, "the file is cut short", "文件不完整"),
    (Reason::DAMAGED, "the file is damaged", "文件已损坏"),
    (
        Reason::NO_VIDEO_STREAM,
        "the file has no video stream",
        "文件中没有视频画面",
    ),
    (
        Reason::STILL_PICTURE,
        "the file is a still picture",
        "文件是静态图片",
    ),
    (
        Reason::NO_DURATION,
        "the video has no duration",
        "视频没有时长",
    ),
    (
        Reason::TOO_LONG,
        "the video is longer than {limit} s",
        "视频时长超过 {limit} 秒",
    ),
    (
        Reason::TOO_MANY_PIXELS,
        "the video has more than {limit} pixels",
        "视频画面超过 {limit} 像素",
    ),
    (
        Reason::TOO_MANY_STREAMS,
        "the file has more than {limit} streams",
        "文件中的媒体流超过 {limit} 个",
    ),
    (
        Reason::UNDECODABLE,
        "no picture of the video can be decoded",
        "视频画面无法解码",
    ),
    (
        Reason::TOO_SLOW,
        "reading the file takes too long",
        "读取文件耗时过长",
    ),
    (
        Reason::TOO_BIG,
        "reading the file takes too much memory",
        "读取文件占用内存过多",
    ),
    (
        Reason::NO_SUCH_UPLOAD,
        "there is no upload of yours that can be published",
        "没有可以发布的上传内容",
    ),
    (
        Reason::OTHER_SIZE,
        "the file was stored with another size",
        "文件存储后的大小不一致",
    ),
    (
        Reason::NUL_IN_PASSWORD,
        "password: must not hold a NUL character",
        "password：不能含有空字符",
    ),
];

/// A reason in words; none for one that a service of a later version gives, or one that lacks its limit.
pub fn reason_words(reason: Reason, limit: Option<u64>, language: Language) -> Option<String> {
    let (_, english, chinese) = TABLE.iter().find(|(known, ..)| *known == reason)?;
    let words = match language {
        Language::English => english,
        Language::Chinese => chinese,
    };
    if !words.contains(LIMIT) {
        return Some((*words).to_owned());
    }
    Some(words.replace(LIMIT, &limit?.to_string()))
}

#[cfg(test)]
mod tests {
    use idl::{base::Code, biz, biz_because};
    use volo_thrift::{BizError, ClientError};

    use super::*;
    use crate::{
        error::{ApiError, Detail},
        rules,
        words::{self, tests::numbers_of},
    };

    const LANGUAGES: [Language; 2] = [Language::English, Language::Chinese];
    /// What Chinese writes in Latin letters, too: names of formats, protocols, encodings, and of parameters of the contract.
    const NAMES: [&str; 19] = [
        "ASCII",
        "Content-Type",
        "GET",
        "HEAD",
        "Idempotency-Key",
        "JSON",
        "POST",
        "UTF-8",
        "comment_text",
        "data",
        "mkv",
        "mov",
        "mp4",
        "multipart",
        "password",
        "title",
        "user_id",
        "username",
        "webm",
    ];

    fn is_chinese(letter: char) -> bool {
        ('\u{4e00}'..='\u{9fff}').contains(&letter)
    }

    /// Chinese, and nothing but: no word and no punctuation of English.
    fn assert_chinese(text: &str) {
        assert!(text.chars().any(is_chinese), "{text}");
        let mut rest = text.to_owned();
        for name in NAMES {
            rest = rest.replace(name, "");
        }
        assert!(!rest.contains(|c: char| c.is_ascii_alphabetic()), "{text}");
        assert!(!rest.contains(|c| ",.:;!?()".contains(c)), "{text}");
        assert!(!rest.contains("{limit}"), "{text}");
    }

    #[test]
    fn every_reason_of_the_interfaces_is_worded_in_both_languages() {
        let known: Vec<i32> = TABLE.iter().map(|(reason, ..)| reason.inner()).collect();
        assert_eq!(numbers_of("Reason"), known);
        for (reason, ..) in TABLE {
            let [english, chinese] = LANGUAGES.map(|l| reason_words(reason, Some(7), l).unwrap());
            assert!(english.is_ascii() && !english.contains(LIMIT), "{english}");
            assert_chinese(&chinese);
            assert_eq!(english.contains('7'), chinese.contains('7'), "{chinese}");
        }
    }

    #[test]
    fn everything_else_that_is_said_in_chinese_is_chinese() {
        for (code, ..) in words::TABLE {
            assert_chinese(words::words(code, Language::Chinese));
        }
        for rule in rules::tests::all() {
            for name in rules::tests::NAMES {
                let error = ApiError::bad_parameter(name, rule.clone());
                assert_chinese(&error.detail.words(Language::Chinese));
            }
        }
    }

    fn said(error: BizError, language: Language) -> String {
        let error = ApiError::from(ClientError::Biz(error));
        error.detail.words(language)
    }

    #[test]
    fn a_reason_is_worded_here_and_what_is_not_known_here_is_said_as_the_service_says_it() {
        let code = Code::NOT_A_VIDEO;
        let long = biz_because(code, Reason::TOO_LONG, Some(60), "said by the service");
        assert_eq!(
            LANGUAGES.map(|language| said(long.clone(), language)),
            ["the video is longer than 60 s", "视频时长超过 60 秒"]
        );
        // A service of an earlier version says it and gives no reason; one of a later version gives one that is new.
        let earlier = biz(code, "the file is cut short");
        let later = biz_because(code, Reason::from(9999), None, "the file is cut short");
        let incomplete = biz_because(code, Reason::TOO_LONG, None, "the file is cut short");
        for error in [earlier, later, incomplete] {
            for language in LANGUAGES {
                assert_eq!(said(error.clone(), language), "the file is cut short");
            }
        }
        let bare = ApiError::from(ClientError::Biz(biz(code, "")));
        assert!(matches!(bare.detail, Detail::None));
    }
}
