//! `status_msg` in the languages of the API: messages of codes, of reasons and of broken rules.

mod codes;
mod reasons;
mod rules;

use http::{HeaderMap, header};

pub use codes::{CODES, code_message};
pub use reasons::reason_message;
pub use rules::{Rule, name_message};

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
    /// The language that an `Accept-Language` header prefers among these (RFC 9110, section 12.5.4).
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

    /// Stands between a name and what is said of it.
    pub fn colon(self) -> &'static str {
        match self {
            Self::English => ": ",
            Self::Chinese => "：",
        }
    }
}

#[cfg(test)]
mod tests;
