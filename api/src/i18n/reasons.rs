//! The message of each reason that a service gives for a refusal, in every language.

use idl::base::Reason;

use super::Language;

/// Stands for the limit in the messages below.
pub(super) const LIMIT: &str = "{limit}";

/// Each reason in English and in Chinese.
pub(super) const REASONS: [(Reason, &str, &str); 19] = [
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
    (
        Reason::PHOTO,
        "the file is a photo (HEIC or AVIF), not a video",
        "文件是照片，不是视频",
    ),
    (Reason::ENCRYPTED, "the video is encrypted", "视频已加密"),
    (
        Reason::TOO_MANY_UNFINISHED,
        "{limit} of your videos are not ready yet or have failed: wait, or delete some",
        "您有 {limit} 个视频尚未处理完成或处理失败，请等待或删除部分视频",
    ),
    (
        Reason::NOT_A_PICTURE,
        "this is no JPEG, PNG or WebP picture that can be decoded",
        "不是可以解码的 JPEG、PNG 或 WebP 图片",
    ),
];

/// The message of a reason. None: a service of a later version gave one that isn't known here, or the limit is missing.
pub fn reason_message(reason: Reason, limit: Option<u64>, language: Language) -> Option<String> {
    let (_, english, chinese) = REASONS.iter().find(|(known, ..)| *known == reason)?;
    let message = match language {
        Language::English => english,
        Language::Chinese => chinese,
    };
    if !message.contains(LIMIT) {
        return Some((*message).to_owned());
    }
    Some(message.replace(LIMIT, &limit?.to_string()))
}
