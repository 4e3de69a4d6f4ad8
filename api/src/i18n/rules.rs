//! The rules that a parameter can break, and the message of each in every language.

use std::borrow::Cow;

use idl::ValidateError;

use super::Language;

/// A rule that a parameter breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// Required, and nowhere.
    Missing,
    /// A file without a byte.
    Empty,
    /// Not a decimal number.
    NotANumber,
    /// A number that isn't whole.
    Fraction,
    /// A number that int64 can't hold.
    OutOfRange,
    /// An id below 1.
    BelowOne,
    /// A number below 0.
    Negative,
    /// An action that is neither of two.
    OneOrTwo,
    /// An action that isn't the only one.
    One,
    /// Oneself, where somebody else is meant.
    Oneself,
    /// A second file.
    GivenTwice,
    /// A text of more than so many bytes.
    TooManyBytes(usize),
    /// Bytes that are no text.
    NotUtf8,
    /// A header with other than ASCII.
    NotAscii,
    /// A JSON object or array.
    TextOrNumber,
    /// A body or query string that can't be read.
    Malformed,
    /// A JSON body that can't be read, or is no object.
    NotAnObject,
    /// A form of more than so many parts.
    TooManyParts(usize),
    /// More than so many parameters.
    TooManyParameters(usize),
    /// A body that ended too early.
    BrokeOff,
    /// A body that came too slowly.
    TooSlow,
    /// A path that no route has.
    NoSuchPath,
    /// A method that this path doesn't take; it takes these.
    OnlyMethods(&'static str),
    /// A content type that no route takes.
    NoSuchType,
    /// A file in none of the containers.
    Container,
    /// A file that is no picture.
    Picture,
    /// A rule of an interface.
    Interface(ValidateError),
}

impl Rule {
    /// What the parameter must be.
    pub fn message(&self, language: Language) -> Cow<'static, str> {
        let (english, chinese) = match self {
            Self::Missing => ("is missing", "缺少该参数"),
            Self::Empty => ("is empty", "内容为空"),
            Self::NotANumber => ("is not a number", "不是数字"),
            Self::Fraction => ("must be a whole number", "必须是整数"),
            Self::OutOfRange => ("is out of range", "超出范围"),
            Self::BelowOne => ("must be at least 1", "不能小于 1"),
            Self::Negative => ("must not be negative", "不能为负数"),
            Self::OneOrTwo => ("must be 1 or 2", "只能是 1 或 2"),
            Self::One => ("must be 1", "只能是 1"),
            Self::Oneself => ("must not be you", "不能是自己"),
            Self::GivenTwice => ("is given twice", "重复出现"),
            Self::TooManyBytes(limit) => {
                return too_many(*limit, "bytes", "字节", language).into();
            }
            Self::NotUtf8 => ("is not UTF-8", "不是 UTF-8 编码"),
            Self::NotAscii => ("must be ASCII", "只能使用 ASCII 字符"),
            Self::TextOrNumber => ("must be a text or a number", "只能是文本或数字"),
            Self::Malformed => ("is malformed", "格式错误"),
            Self::NotAnObject => (
                "is malformed: an object is expected",
                "格式错误，应为 JSON 对象",
            ),
            Self::TooManyParts(limit) => {
                return too_many(*limit, "parts", "个部分", language).into();
            }
            Self::TooManyParameters(limit) => {
                return too_many(*limit, "parameters", "个参数", language).into();
            }
            Self::BrokeOff => ("is malformed or broke off", "格式错误或不完整"),
            Self::TooSlow => ("came too slowly", "传输过慢"),
            Self::NoSuchPath => ("there is nothing here", "路径不存在"),
            Self::OnlyMethods(methods) => {
                return match language {
                    Language::English => (*methods).into(),
                    Language::Chinese => format!("只支持 {}", methods.replace(", ", "、")).into(),
                };
            }
            Self::NoSuchType => ("no route takes this type", "不支持该内容类型"),
            Self::Container => (
                "mp4, mov, webm or mkv is expected",
                "应为 mp4、mov、webm 或 mkv",
            ),
            Self::Picture => (
                "a JPEG, PNG or WebP picture is expected",
                "应为 JPEG、PNG 或 WebP 图片",
            ),
            Self::Interface(error) => return interface(error, language).into(),
        };
        match language {
            Language::English => english.into(),
            Language::Chinese => chinese.into(),
        }
    }
}

/// The name of what is wrong. A parameter has one name in all languages; anything else is called by a word of the language.
pub fn name_message(name: &str, language: Language) -> &str {
    match (language, name) {
        (Language::English, _) => name,
        (_, "body") => "请求体",
        (_, "form body") => "表单请求体",
        (_, "JSON body") => "JSON 请求体",
        (_, "protobuf body") => "protobuf 请求体",
        (_, "multipart body") => "multipart 请求体",
        (_, "query string") => "查询参数",
        (_, "method") => "请求方法",
        (_, "path") => "路径",
        _ => name,
    }
}

fn too_many(limit: usize, english: &str, chinese: &str, language: Language) -> String {
    match language {
        Language::English => format!("has more than {limit} {english}"),
        Language::Chinese => format!("超过 {limit} {chinese}"),
    }
}

fn interface(error: &ValidateError, language: Language) -> String {
    use idl::Rule as Of;
    let limit = &error.limit;
    match (language, error.rule) {
        (Language::English, _) => {
            let text = error.to_string();
            // Without the interface's name of the field, which the client doesn't know.
            text.split_once(": ")
                .map(|(_, rule)| rule.to_owned())
                .unwrap_or(text)
        }
        (_, Of::MinBytes) => format!("至少 {limit} 字节"),
        (_, Of::MaxBytes) => format!("最多 {limit} 字节"),
        (_, Of::MinChars) => format!("至少 {limit} 个字符"),
        (_, Of::MaxChars) => format!("最多 {limit} 个字符"),
        (_, Of::MinItems) => format!("至少 {limit} 项"),
        (_, Of::MaxItems) => format!("最多 {limit} 项"),
        (_, Of::Pattern) => format!("必须匹配 {limit}"),
        (_, Of::Prefix) => format!("必须以 {limit} 开头"),
        (_, Of::Gt) => format!("必须大于 {limit}"),
        (_, Of::Ge) => format!("不能小于 {limit}"),
        (_, Of::Lt) => format!("必须小于 {limit}"),
        (_, Of::Le) => format!("不能大于 {limit}"),
        (_, Of::In) => format!(
            "只能是 {} 之一",
            limit.replace(", ", "、").replace(',', "、")
        ),
        (_, Of::DefinedOnly) => "必须是已定义的值".to_owned(),
        (_, Of::Trimmed) => "首尾不能有空白字符".to_owned(),
        (_, Of::NoControl) => "不能有控制字符".to_owned(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Names of what is no parameter, and of one.
    pub const NAMES: [&str; 9] = [
        "protobuf body",
        "body",
        "form body",
        "JSON body",
        "multipart body",
        "query string",
        "method",
        "path",
        "title",
    ];

    /// Each rule once.
    pub fn all() -> Vec<Rule> {
        let own = [
            Rule::Missing,
            Rule::Empty,
            Rule::NotANumber,
            Rule::Fraction,
            Rule::OutOfRange,
            Rule::BelowOne,
            Rule::Negative,
            Rule::OneOrTwo,
            Rule::One,
            Rule::Oneself,
            Rule::GivenTwice,
            Rule::TooManyBytes(8192),
            Rule::NotUtf8,
            Rule::NotAscii,
            Rule::TextOrNumber,
            Rule::Malformed,
            Rule::NotAnObject,
            Rule::TooManyParts(32),
            Rule::TooManyParameters(64),
            Rule::BrokeOff,
            Rule::TooSlow,
            Rule::NoSuchPath,
            Rule::OnlyMethods("GET, HEAD"),
            Rule::NoSuchType,
            Rule::Container,
            Rule::Picture,
        ];
        let of_interfaces = idl::RULES
            .iter()
            // A pattern is shown as it is.
            .filter(|entry| entry.rule != idl::Rule::Pattern)
            .map(|entry| ValidateError::new(entry.field, entry.rule, entry.limit))
            .map(Rule::Interface);
        own.into_iter().chain(of_interfaces).collect()
    }

    #[test]
    fn the_list_above_has_each_rule() {
        let source = include_str!("rules.rs");
        let (_, rest) = source.split_once("pub enum Rule {").unwrap();
        let (variants, _) = rest.split_once("\n}").unwrap();
        let names = variants.lines().filter_map(|line| {
            let line = line.trim();
            let name = line.split(['(', ',']).next()?;
            (!line.starts_with("//") && !name.is_empty()).then(|| name.to_owned())
        });
        let listed: Vec<String> = all().iter().map(|rule| format!("{rule:?}")).collect();
        for name in names {
            assert!(listed.iter().any(|rule| rule.starts_with(&name)), "{name}");
        }
    }
}
